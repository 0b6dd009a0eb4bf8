package ledger_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
)

// stated is a deployment, or an outcome when it has a result.
type stated struct {
	environment, service, digest, decision string
	result                                 verdict.Result
}

func (b *bed) state(x stated) *evidence.Bundle {
	about := subject(x.digest)
	about.Name = "img"
	if x.result == "" {
		return b.sign(b.key, verdict.KindDeployment, verdict.Deployment{
			Decision: x.decision, Environment: x.environment, Service: x.service, Name: "img", Digest: about.Digest, At: b.now(),
		}, about)
	}
	return b.sign(b.key, verdict.KindOutcome, verdict.Aftermath{
		Decision: x.decision, Environment: x.environment, Service: x.service, Name: "img", Digest: about.Digest, Result: x.result, At: b.now(),
	}, about)
}

// told is what runs, in words that can be compared.
func told(environment, service, digest, decision string, since int64) string {
	return fmt.Sprint(environment, " ", service, " ", subject(digest).Digest, " by ", decision, " since ", since)
}

func runningAt(t *testing.T, l *ledger.Ledger, q ledger.RunningQuery) []string {
	t.Helper()
	rows, err := l.Running(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	out := []string{}
	for _, r := range rows {
		out = append(out, fmt.Sprint(r.Environment, " ", r.Service, " ", r.Digest, " by ", r.Decision, " since ", r.Index))
	}
	slices.Sort(out)
	return out
}

// history is a sequence of statements, and what runs after each of them as whoever reads
// them one by one would say.
func history(seed uint64, n int, first int64) (said []stated, after [][]string) {
	type place struct{ environment, service string }
	type runs struct {
		digest, decision string
		since            int64
	}
	r := rand.New(rand.NewPCG(seed, 1))
	pick := func(words ...string) string { return words[r.IntN(len(words))] }
	now := map[place]runs{}
	for i := range n {
		x := stated{environment: pick("prod", "test"), service: pick("shop", "bank"), digest: pick("v1", "v2", "v3"), decision: pick("", "d-1", "d-2")}
		if r.IntN(2) == 0 {
			x.result = []verdict.Result{verdict.ResultDeployed, verdict.ResultFailed, verdict.ResultRolledBack, verdict.ResultIncident}[r.IntN(4)]
		}
		at := place{x.environment, x.service}
		what, any := now[at]
		same := any && what.digest == x.digest
		switch {
		case x.result == "" && !same:
			now[at] = runs{x.digest, x.decision, first + int64(i)}
		case x.result == verdict.ResultRolledBack && same, x.result == verdict.ResultFailed && same && (x.decision == "" || x.decision == what.decision):
			delete(now, at)
		}
		said = append(said, x)
		state := []string{}
		for p, w := range now {
			state = append(state, told(p.environment, p.service, w.digest, w.decision, w.since))
		}
		slices.Sort(state)
		after = append(after, state)
	}
	return said, after
}

// Whoever asks what ran at a time must get what was stated by then, to the entry.
func TestWhatRunsIsTheLastWordOfEachStatementAtEveryPosition(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		l := b.begun()
		said, after := history(uint64(b.now().UnixMicro()), 120, 1)
		var bundles []*evidence.Bundle
		for _, x := range said {
			bundles = append(bundles, b.state(x))
		}
		for len(bundles) > 0 { // one batch replaces its own rows too
			n := min(7, len(bundles))
			if _, err := l.AppendAll(t.Context(), bundles[:n]); err != nil {
				t.Fatal(err)
			}
			bundles = bundles[n:]
		}
		for i, want := range after {
			if got := runningAt(t, l, ledger.RunningQuery{At: ledger.Position(i + 2)}); !slices.Equal(got, want) {
				t.Fatalf("after %+v there runs\n%s\nand should\n%s", said[:i+1], strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
		}
		if got := runningAt(t, l, ledger.RunningQuery{At: ledger.Now}); !slices.Equal(got, after[len(after)-1]) {
			t.Errorf("now there runs %v", got)
		}
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("%+v, %v", r.Problems, err)
		}
	})
}

// What is not in the form of a deployment is evidence like any other, and nothing runs by it.
func TestOnlyADeploymentOfTheDigestThatItIsAboutRuns(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	about := subject("v1")
	for name, predicate := range map[string]any{
		"free form":      map[string]any{"state": "deployed", "n": 1},
		"no service":     verdict.Deployment{Environment: "prod", Name: "img", Digest: about.Digest},
		"another digest": verdict.Deployment{Environment: "prod", Service: "shop", Name: "img", Digest: subject("v2").Digest},
		"a long name":    verdict.Deployment{Environment: "prod", Service: strings.Repeat("s", 501), Name: "img", Digest: about.Digest},
	} {
		b.append(l, b.sign(b.key, verdict.KindDeployment, predicate, about))
		if got := runningAt(t, l, ledger.RunningQuery{At: ledger.Now}); len(got) != 0 {
			t.Errorf("%s: there runs %v", name, got)
		}
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r.Problems, err)
	}
}

// What another log says was deployed is a claim: it neither runs here nor ends what does, or
// whoever runs that log could hide what is vulnerable.
func TestADeploymentFromAnotherLogChangesNothingThatRuns(t *testing.T) {
	b := newBed(t)
	l := b.begun()
	b.append(l, b.state(stated{environment: "prod", service: "shop", digest: "v1", decision: "d-1"}))
	before := runningAt(t, l, ledger.RunningQuery{At: ledger.Now})
	if len(before) != 1 {
		t.Fatalf("there runs %v", before)
	}
	other := newBed(t)
	for i, x := range []stated{
		{environment: "prod", service: "shop", digest: "v2", decision: "d-2"},
		{environment: "prod", service: "bank", digest: "v2"},
		{environment: "prod", service: "shop", digest: "v1", result: verdict.ResultRolledBack},
	} {
		arrival := ledger.Arrival{Bundle: other.state(x), Producer: evidence.Producer{Key: other.key.KeyID()}, Origin: "laptop.example", Index: int64(i), Context: b.context()}
		if _, err := l.IngestAll(t.Context(), b.key, []ledger.Arrival{arrival}); err != nil {
			t.Fatal(err)
		}
	}
	if after := runningAt(t, l, ledger.RunningQuery{At: ledger.Now}); !slices.Equal(after, before) {
		t.Errorf("there runs %v, and before the claims %v", after, before)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r.Problems, err)
	}
}

func TestEachChangeOfWhatRunsIsDetectedAndLocated(t *testing.T) {
	for _, c := range []struct {
		name, change string
		index        int64
		says         string
	}{
		{"another digest runs", `UPDATE running SET digest = 'sha256:00' WHERE from_seq = 3`, 3, "index rows"},
		{"it is taken out", `DELETE FROM running WHERE from_seq = 3`, 3, "index rows"},
		{"it rests on a promotion", `UPDATE running SET decision = 'd-9' WHERE from_seq = 3`, 3, "index rows"},
		{"it ran for longer", `UPDATE running SET to_seq = 4 WHERE from_seq = 1`, 1, "does not end"},
		{"it still runs", `UPDATE running SET to_seq = 9223372036854775807 WHERE from_seq = 2`, 2, "does not end"},
		{"it was rolled back", `UPDATE running SET to_seq = 4 WHERE from_seq = 3`, 3, "does not end"},
		{"something else runs", `INSERT INTO running SELECT 5, to_seq, environment, 'other', name, digest, decision, at FROM running WHERE from_seq = 3`, 5, "index rows"},
		{"something runs from the future on", `INSERT INTO running SELECT 4711, to_seq, environment, 'other', name, digest, decision, at FROM running WHERE from_seq = 3`, 4711, "no entry"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t)
			l := b.ran(t)
			tamper(t, b, c.change)
			r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
			if err != nil {
				t.Fatal(err)
			}
			if !slices.ContainsFunc(r.Problems, func(p ledger.Problem) bool { return p.Index == c.index && strings.Contains(p.What, c.says) }) {
				t.Errorf("not located at %d as %q: %+v", c.index, c.says, r.Problems)
			}
		})
	}
}

// ran is a ledger in which v1 was replaced by v2, v3 was rolled back elsewhere, and v2 was
// deployed again.
func (b *bed) ran(t *testing.T) *ledger.Ledger {
	t.Helper()
	l := b.begun()
	for _, x := range []stated{
		{environment: "prod", service: "shop", digest: "v1", decision: "d-1"},
		{environment: "test", service: "shop", digest: "v3"},
		{environment: "prod", service: "shop", digest: "v2", decision: "d-2"}, // 3
		{environment: "test", service: "shop", digest: "v3", result: verdict.ResultRolledBack},
		{environment: "prod", service: "shop", digest: "v2", decision: "d-3"},
	} {
		b.append(l, b.state(x))
	}
	return l
}

// At the end of a retention a body goes. What it said of what runs stays in the index, and
// is no sign of an edit.
func TestWhatRunsHoldsWithoutTheBodiesThatSaidIt(t *testing.T) {
	for gone := int64(1); gone <= 5; gone++ {
		b := newBed(t)
		l := b.ran(t)
		before := runningAt(t, l, ledger.RunningQuery{At: ledger.Now, Ended: true})
		b.prune(t, l, gone, 5)
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{})
		if err != nil || !r.Holds() || r.Pruned != 1 {
			t.Errorf("without entry %d: %+v, %v", gone, r.Problems, err)
		}
		if after := runningAt(t, l, ledger.RunningQuery{At: ledger.Now, Ended: true}); !slices.Equal(before, after) {
			t.Errorf("without entry %d: %v", gone, after)
		}
	}
}
