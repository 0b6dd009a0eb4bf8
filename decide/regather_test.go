package decide_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/ledger"
)

// another is a ledger that shows its engine something else than it holds, as whoever
// has an enrolled key can: the decision that comes out agrees with itself in every part.
type another struct {
	*ledger.Ledger
	bundle   func(index int64) *evidence.Bundle
	position func(ledger.Position) ledger.Position
	missing  int64 // the entry whose body is gone, when above 0
}

func (a another) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	if a.missing > 0 && index == a.missing {
		return nil, errors.New("pruned")
	}
	if a.bundle != nil {
		if b := a.bundle(index); b != nil {
			return b, nil
		}
	}
	return a.Ledger.Bundle(ctx, index)
}

func (a another) Position(ctx context.Context) (ledger.Position, error) {
	p, err := a.Ledger.Position(ctx)
	if a.position != nil {
		p = a.position(p)
	}
	return p, err
}

// Without this, whoever may sign turns a block into a pass and replay vouches for it.
func TestReplayFindsFactsThatTheEvidenceDoesNotHold(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	good := h.decide("ci.secrets")
	said := h.report("local", leaked())
	h.engine.Ledger = another{Ledger: h.ledger, bundle: func(index int64) *evidence.Bundle {
		if index != said.Index {
			return nil
		}
		b, err := h.ledger.Bundle(h.ctx, good.Evidence[0].Index)
		must(t, err)
		return b
	}}
	forged := h.decide("ci.secrets")
	if forged.Outcome != verdict.Allow || forged.Evidence[0].Index != said.Index {
		t.Fatalf("the case is none: outcome %s on entry %d", forged.Outcome, forged.Evidence[0].Index)
	}
	out := h.replay(forged.ID)
	if out.Same || out.Facts.State != verdict.StateFailed || !strings.HasPrefix(out.Difference, "input.checks.secrets.failed") {
		t.Fatalf("facts %+v, difference %q", out.Facts, out.Difference)
	}
}

// A decision that looks away from the latest evidence is as wrong as one that invents
// some. Two that raced by moments are not.
func TestReplayTellsWhatADecisionDidNotLookAt(t *testing.T) {
	for name, tc := range map[string]struct {
		waited time.Duration
		same   bool
	}{
		"moments: told":    {time.Second, true},
		"an hour: refused": {time.Hour, false},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHouse(t, "")
			h.report("local", clean("secrets"))
			said := h.report("local", leaked())
			h.now = h.now.Add(tc.waited)
			h.engine.Ledger = another{Ledger: h.ledger, position: func(p ledger.Position) ledger.Position { return p - 1 }}
			d := h.decide("ci.secrets")
			out := h.replay(d.ID)
			if d.Outcome != verdict.Allow || out.Same != tc.same || !slices.Equal(out.Facts.Late, []int64{said.Index}) {
				t.Fatalf("outcome %s, same %v, late %v, difference %q", d.Outcome, out.Same, out.Facts.Late, out.Difference)
			}
		})
	}
}

// Data that was stale is fresh for a decision that says it was taken last week.
func TestReplayRefusesADecisionOfAnotherTime(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", h.vulnerable("", 6*24*time.Hour))
	then := h.now
	h.engine.Now = func() time.Time { return then }
	h.now = h.now.Add(2 * 24 * time.Hour)
	d := h.decide("ci.vulnerabilities")
	out := h.replay(d.ID)
	if d.Outcome != verdict.Allow || out.Same || !strings.Contains(out.Difference, "was recorded 2026-11-22") {
		t.Fatalf("outcome %s, same %v, difference %q", d.Outcome, out.Same, out.Difference)
	}
}

func TestReplayRefusesADecisionThatSawTheFuture(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	h.engine.Ledger = another{Ledger: h.ledger, position: func(p ledger.Position) ledger.Position { return p + 7 }}
	if out := h.replay(h.decide("ci.secrets").ID); out.Same || !strings.Contains(out.Difference, "says that it saw") {
		t.Fatalf("same %v, difference %q", out.Same, out.Difference)
	}
}

// A body that was pruned since takes the proof of the facts with it: the conclusion is
// still shown to follow, and that its facts were not gathered again is said.
func TestReplayWithoutABodySaysThatFactsAreUnknown(t *testing.T) {
	h := newHouse(t, "")
	said := h.report("local", leaked())
	d := h.decide("ci.secrets")
	r := &decide.Replayer{Ledger: another{Ledger: h.ledger, missing: said.Index}, KeyName: h.keyName}
	out, err := r.Replay(h.ctx, d.ID, ledger.Now)
	must(t, err)
	if !out.Same || out.Facts.State != verdict.StateUnknown || !strings.Contains(out.Facts.Why, "pruned") {
		t.Fatalf("same %v, facts %+v, difference %q", out.Same, out.Facts, out.Difference)
	}
}

// Any enrolled key can sign a record. Whether it may decide is the map's to say.
func TestReplayTellsASignerWithoutTheRightToDecide(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	if out := h.replay(h.decide("ci.secrets").ID); !out.Trusted || out.Facts.State != verdict.StateVerified {
		t.Fatalf("trusted %v, facts %+v", out.Trusted, out.Facts)
	}
	h.enroll("mallory")
	h.engine.Signer = h.keys["mallory"]
	if out := h.replay(h.decide("ci.secrets").ID); out.Trusted {
		t.Fatal("a key that the map does not name is said to be trusted with decisions")
	}
}

// What somebody said in no form that can be read is as unreadable today as it was then: it
// hides nothing. Without this, one malformed statement by anybody lets an invented
// decision pass for the same.
func TestAStatementThatNobodyCouldReadHidesNoInventedFacts(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", h.vulnerable("", time.Hour))
	good := h.decide("ci.vulnerabilities")
	said := h.report("local", h.vulnerable("4.17.21", time.Hour))
	h.enroll("mallory")
	broken := h.vulnerable("", time.Hour)
	broken.Hits[0].Vulnerability = nil
	h.report("mallory", broken)
	h.engine.Ledger = another{Ledger: h.ledger, bundle: func(index int64) *evidence.Bundle {
		if index != said.Index {
			return nil
		}
		b, err := h.ledger.Bundle(h.ctx, good.Evidence[0].Index)
		must(t, err)
		return b
	}}
	forged := h.decide("ci.vulnerabilities")
	if out := h.replay(forged.ID); forged.Outcome != verdict.Allow || out.Same || out.Facts.State != verdict.StateFailed || out.Again.Outcome != verdict.Deny {
		t.Fatalf("outcome %s, same %v, facts %+v, again %s", forged.Outcome, out.Same, out.Facts, out.Again.Outcome)
	}
}

// Where one body is gone, what can still be read is compared all the same.
func TestWhatIsStillThereIsComparedThoughOneBodyIsGone(t *testing.T) {
	const chart = "schema: verdict/v1\npoints:\n  - {id: ci.secrets, needs: [secrets, vulnerabilities]}\n"
	h := newHouse(t, chart)
	said := h.report("local", leaked())
	h.report("local", h.vulnerable("", time.Hour))
	r := &decide.Replayer{Ledger: another{Ledger: h.ledger, missing: said.Index}, KeyName: h.keyName}
	out, err := r.Replay(h.ctx, h.decide("ci.secrets").ID, ledger.Now)
	must(t, err)
	if !out.Same || out.Facts.State != verdict.StateUnknown {
		t.Fatalf("same %v, facts %+v, difference %q", out.Same, out.Facts, out.Difference)
	}
	fresh := h.report("local", h.vulnerable("4.17.21", time.Hour))
	h.engine.Ledger = another{Ledger: h.ledger, position: func(p ledger.Position) ledger.Position { return p }, bundle: func(index int64) *evidence.Bundle {
		if index != fresh.Index {
			return nil
		}
		b, err := h.ledger.Bundle(h.ctx, fresh.Index-2)
		must(t, err)
		return b
	}}
	forged := h.decide("ci.secrets")
	out, err = r.Replay(h.ctx, forged.ID, ledger.Now)
	must(t, err)
	if out.Same || !strings.HasPrefix(out.Difference, "input.vulnerabilities") {
		t.Fatalf("same %v, difference %q", out.Same, out.Difference)
	}
}

// A decision that says it saw an older log would be judged by the rules of then.
func TestReplayRefusesADecisionThatSawAnOlderLog(t *testing.T) {
	h := newHouse(t, "")
	h.report("local", clean("secrets"))
	h.enroll("somebody") // anything at all that was recorded since
	h.now = h.now.Add(time.Hour)
	h.engine.Ledger = another{Ledger: h.ledger, position: func(p ledger.Position) ledger.Position { return p - 1 }}
	if out := h.replay(h.decide("ci.secrets").ID); out.Same || !strings.Contains(out.Difference, "did not see it") {
		t.Fatalf("same %v, difference %q", out.Same, out.Difference)
	}
}

// lostEntry is a ledger of which the body of one entry was pruned.
type lostEntry struct {
	*ledger.Ledger
	index int64
}

func (l lostEntry) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	if index == l.index {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: "it was pruned", Remedy: "look at the tombstone"}
	}
	return l.Ledger.Bundle(ctx, index)
}
