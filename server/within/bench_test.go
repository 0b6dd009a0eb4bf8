package within_test

import (
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/within"
)

// What a narrow reader's page costs, in whose rows there is nothing for him: by it the server
// reckons what his looking is worth.
func BenchmarkAPageOfNothing(b *testing.B) {
	l := newLog(b)
	var many []*evidence.Bundle
	for i := range 11_000 {
		many = append(many, l.signed(verdict.KindTestResult, map[string]int{"n": i}, verdict.Context{Service: "bank", Environment: "prod"}, "thing"))
	}
	if _, err := l.AppendAll(b.Context(), many); err != nil {
		b.Fatal(err)
	}
	x, err := within.Whose(whose).Ledger(b.Context(), l.Ledger, identity.Caller{Actor: "a", Grants: []identity.Grant{{Role: identity.Viewer, Scope: scope("shop", "", "*")}}})
	if err != nil {
		b.Fatal(err)
	}
	b.ResetTimer()
	for b.Loop() {
		p, err := x.FindPage(b.Context(), ledger.Query{At: ledger.Now, Kind: verdict.KindTestResult, Limit: 1}, 0)
		if err != nil || len(p.Rows) > 0 || p.Next == 0 {
			b.Fatal(len(p.Rows), p.Next, err)
		}
	}
}
