package decide_test

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	random "math/rand/v2"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/evidence"
	"verdict/ledger"
)

// sameID lets each decision that is only looked at have the same id, so that what an engine
// would decide can be compared.
type sameID struct{ looks bool }

func (s *sameID) Read(b []byte) (int, error) {
	if !s.looks {
		return rand.Read(b)
	}
	clear(b)
	return len(b), nil
}

// moody is a ledger as one process sees it: from an earlier position, or refusing what is to
// be recorded.
type moody struct {
	*ledger.Ledger
	behind  ledger.Position
	refuses bool
}

func (m *moody) Position(ctx context.Context) (ledger.Position, error) {
	at, err := m.Ledger.Position(ctx)
	return max(0, at-m.behind), err
}

func (m *moody) Append(ctx context.Context, b *evidence.Bundle) (ledger.Entry, error) {
	if m.refuses {
		return ledger.Entry{}, errors.New("the disk is full")
	}
	return m.Ledger.Append(ctx, b)
}

// What a process has in memory saves time and changes no answer: whatever was recorded
// meanwhile, by whom and by which process, from wherever it looks, it decides as one that has
// read nothing yet. Otherwise a gate lets in what another one, and every replay, refuses.
func TestWhatIsInMemoryChangesNoDecision(t *testing.T) {
	rnd := random.New(random.NewPCG(7, 7))
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.enroll("mallory")
	h.enroll("staging")
	next, stray := digestOf("c"), digestOf("e")
	h.built(next)
	id := &sameID{}
	made := func() (*decide.Engine, *moody) {
		l := &moody{Ledger: h.ledger}
		return &decide.Engine{Ledger: l, Map: h.engine.Map, Policy: h.engine.Policy, Signer: h.keys["local"], Now: h.engine.Now, Rand: id, KeyName: h.keyName}, l
	}
	one, oneSees := made()
	two, twoSees := made()
	asks := func() decide.Request {
		r := h.asks([]verdict.Subject{artifact, next, older, stray}[rnd.IntN(4)], []string{"dev", "staging", "production"}[rnd.IntN(3)])
		if rnd.IntN(6) == 0 {
			r.Trigger = decide.TriggerRollback
		}
		if rnd.IntN(10) == 0 {
			r.Service, r.Team = "web", "web"
		}
		return r
	}
	last := ""
	steps := []struct {
		name string
		do   func()
	}{
		{"a decision", func() {
			if d, _, err := one.Decide(h.ctx, asks()); err == nil {
				last = d.ID
			}
		}},
		{"a decision of another process", func() {
			if d, _, err := two.Decide(h.ctx, asks()); err == nil {
				last = d.ID
			}
		}},
		{"a decision that is not recorded", func() {
			oneSees.refuses = true
			_, _, _ = one.Decide(h.ctx, asks())
			oneSees.refuses = false
		}},
		{"a decision by whoever may not", func() {
			for _, name := range []string{"mallory", "staging"} {
				e, _ := made()
				e.Signer = h.keys[name]
				_, _, err := e.Decide(h.ctx, asks())
				must(t, err)
			}
		}},
		{"the last decision, signed by somebody else", func() {
			if last == "" {
				return
			}
			_, s, err := h.ledger.DecisionStatement(h.ctx, last, ledger.Now)
			if err == nil {
				b, err := evidence.Sign(h.ctx, s, h.keys["mallory"])
				must(t, err)
				_, _ = h.ledger.Append(h.ctx, b)
			}
			last = ""
		}},
		{"vulnerabilities", func() {
			r := clean("vulnerabilities")
			if rnd.IntN(2) == 0 {
				r = h.vulnerable("", time.Hour)
			}
			h.matched([]verdict.Subject{artifact, next, older}[rnd.IntN(3)], r)
		}},
		{"trust", func() { h.trust([]verdict.Subject{artifact, next, older}[rnd.IntN(3)], "payments") }},
		{"what became known of what runs", func() {
			h.becameKnown([]string{"local", "mallory"}[rnd.IntN(2)], []verdict.Subject{artifact, next, older}[rnd.IntN(3)], func(f *verdict.Finding) {
				f.Exploited = false
				if rnd.IntN(2) == 0 {
					f.State = verdict.FindingClosed
				}
			})
		}},
		{"an observation", func() {
			h.observedBy([]string{"local", "mallory"}[rnd.IntN(2)], fmt.Sprintf(`{"id":"f%d","class":"drift","state":%q}`, rnd.IntN(2), []string{"open", "closed"}[rnd.IntN(2)]))
		}},
		{"many that count for nothing", func() {
			for range 12 {
				h.observedBy("mallory", `{"id":"x","class":"drift","state":"open"}`)
			}
		}},
		{"time", func() { h.now = h.now.Add(time.Duration(rnd.IntN(40)) * time.Hour) }},
		{"a new epoch", func() {
			if rnd.IntN(8) == 0 {
				_, _ = h.ledger.NewEpoch(h.ctx, "test")
			}
		}},
	}
	// A look is compared in everything: the digest of what was decided from and of what came out.
	compare := func(said string, r decide.Request, behind ledger.Position, warm *decide.Engine, sees *moody) {
		t.Helper()
		fresh, begins := made()
		begins.behind, sees.behind, id.looks = behind, behind, true
		got, err := warm.Preview(h.ctx, r)
		want, wrong := fresh.Preview(h.ctx, r)
		begins.behind, sees.behind, id.looks = 0, 0, false
		if fmt.Sprint(err) != fmt.Sprint(wrong) || got.Digests != want.Digests || got.Outcome != want.Outcome || fmt.Sprint(got.Evidence) != fmt.Sprint(want.Evidence) {
			t.Fatalf("%s, %d entries back: %s for %s in %s\nin memory %s %s %+v %v\nafresh    %s %s %+v %v", said, behind, r.Subject.Name, r.Service, r.Environment,
				got.Outcome, rulesOf(got), got.Digests, err, want.Outcome, rulesOf(want), want.Digests, wrong)
		}
	}
	said, outcomes := "", map[verdict.Outcome]int{}
	for began, n := time.Now(), 0; n < 90 && time.Since(began) < 15*time.Second; n++ {
		step := steps[rnd.IntN(len(steps))]
		if step.do(); len(said) > 400 {
			said = said[len(said)-400:]
		}
		said += ", " + step.name
		r := asks()
		compare(said, r, 0, one, oneSees)
		if rnd.IntN(3) == 0 {
			compare(said, asks(), ledger.Position(rnd.IntN(30)), one, oneSees)
			compare(said, asks(), ledger.Position(rnd.IntN(30)), two, twoSees)
		}
		if d, err := one.Preview(h.ctx, r); err == nil {
			outcomes[d.Outcome]++
		}
	}
	if outcomes[verdict.Allow] == 0 || outcomes[verdict.Deny] == 0 {
		t.Errorf("the decisions that were compared are of one kind: %v", outcomes)
	}
}
