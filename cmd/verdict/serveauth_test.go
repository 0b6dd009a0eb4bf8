package main

import (
	"testing"

	"verdict/decisionmap"
	"verdict/identity"
)

// Who must not approve a deployment is told from who asks for it. Where that is a machine's own
// word, the record says so; where the credential names somebody, it names nobody else.
func TestThatSomebodyAsksIsRecordedAsTheWordOfAMachine(t *testing.T) {
	h := servingData(t, func(func(...string) string) {}).host
	m, err := decisionmap.Load("verdict.yaml", []byte("schema: verdict/v1\npeople:\n  jane: {accounts: {github: jane}}\n  noor: {}\n"))
	if err != nil {
		t.Fatal(err)
	}
	machine := identity.Caller{Actor: "a", Workload: "azure:acme/shop/12", Issuer: "https://issuer.example"}
	named, person := machine, identity.Caller{Actor: "b", Person: "jane"}
	named.Account = "github:jane"
	for _, tt := range []struct {
		name, hint, person, claimed string
		c                           identity.Caller
	}{
		{"a machine whose token names nobody", "noor", "noor", machine.Workload, machine},
		{"and that names nobody itself", "", machine.Workload, "", machine},
		{"a machine whose token names an account", "noor", "jane", "", named},
		{"a person", "noor", "jane", "", person},
	} {
		r, err := h.requester(t.Context(), m, tt.c, tt.hint)
		if err != nil || r.Person != tt.person || r.Claimed != tt.claimed {
			t.Errorf("%s: %+v, %v", tt.name, r, err)
		}
	}
}
