package decide

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"verdict"
	"verdict/ledger"
)

// listed is a ledger of entries alone, which finds by going through all of them.
type listed struct {
	Ledger
	entries []ledger.Entry
	from    map[int64]verdict.Digest // what a decision says that its subject was made from
	asked   int
}

func (l *listed) Find(_ context.Context, q ledger.Query) (out []ledger.Entry, err error) {
	l.asked++
	for _, x := range slices.Backward(l.entries) {
		is := func(s verdict.Subject) bool { return s.Digest == q.Subject || slices.Contains(s.Also, q.Subject) }
		about := q.Subject == "" || slices.ContainsFunc(x.Subjects, is) || l.from[x.Index] == q.Subject
		if about && x.Index < int64(q.At) && x.Index >= q.From && (q.Kind == "" || x.Kind == q.Kind) &&
			(q.Point == "" || x.Context.Point == q.Point) && (q.Service == "" || x.Context.Service == q.Service) && len(out) < q.Limit {
			out = append(out, x)
		}
	}
	return out, nil
}

// What was kept of earlier answers must be what the ledger would say: a scan that is not seen
// lets something pass that it found.
func TestWhatWasHeardIsWhatTheLedgerSays(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	pick := func(words ...string) string { return words[rnd.IntN(len(words))] }
	l := &listed{from: map[int64]verdict.Digest{}}
	e := &Engine{Ledger: l}
	for range 3000 {
		for range rnd.IntN(4) {
			x := ledger.Entry{Index: int64(len(l.entries)), Kind: verdict.Kind(pick("decision", "sbom", "vsa"))}
			x.Context.Point, x.Context.Service = pick("gate", "trust"), pick("shop", "bank")
			x.Subjects = []verdict.Subject{{Digest: verdict.Digest(pick("a", "b")), Also: []verdict.Digest{verdict.Digest(pick("c", "d"))}}}
			if x.Kind == verdict.KindDecision {
				l.from[x.Index] = verdict.Digest(pick("", "f", "a"))
			}
			l.entries = append(l.entries, x)
		}
		q := ledger.Query{
			Subject: verdict.Digest(pick("", "a", "b", "c", "f")), Kind: verdict.Kind(pick("", "decision", "sbom")), Point: pick("", "gate", "trust"), Service: pick("", "shop"),
			At: ledger.Position(len(l.entries) - rnd.IntN(1+min(len(l.entries), 5))), Limit: []int{3, 40, 1000}[rnd.IntN(3)],
		}
		want, _ := l.Find(t.Context(), q)
		got, err := e.find(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(indexes(got)) != fmt.Sprint(indexes(want)) {
			t.Fatalf("%+v\nheard %v\nthe ledger says %v", q, indexes(got), indexes(want))
		}
	}
}

// A question that was answered costs no more however much was recorded since about others.
func TestWhatCameSinceIsReadOnce(t *testing.T) {
	l := &listed{}
	e := &Engine{Ledger: l}
	ask := func() {
		for _, subject := range []verdict.Digest{"a", "b", "c"} {
			q := ledger.Query{Subject: subject, Kind: verdict.KindSBOM, At: ledger.Position(len(l.entries)), Limit: 10}
			if _, err := e.find(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
	}
	ask()
	l.entries, l.asked = append(l.entries, ledger.Entry{Kind: verdict.KindDecision}, ledger.Entry{Index: 1, Kind: verdict.KindSBOM}), 0
	if ask(); l.asked != 1 {
		t.Errorf("three questions asked the ledger %d times for what came since", l.asked)
	}
}

func indexes(entries []ledger.Entry) []int64 {
	out := []int64{}
	for _, x := range entries {
		out = append(out, x.Index)
	}
	return out
}
