package decide_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/policy"
)

// listed are the environments that a decision knows promotions of its digest to.
func (h *house) listed(id string) (out []string) {
	h.t.Helper()
	_, b := h.basisOf(id)
	in, err := policy.ParseInput(b.Input)
	must(h.t, err)
	for _, p := range in.Promotions.List {
		out = append(out, p.Environment)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Every pod that starts may ask a gate. However often one is asked, by whichever process, the
// promotions that lead to it are still seen: else a release that runs could not be let in
// again, and nobody would know why.
func TestAGateThatIsAskedOverAndOverForgetsNothing(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.promote(artifact, "dev", "staging")
	ask := h.asks(artifact, "production")
	one := h.engine
	h.under(calm)
	two := h.engine
	asked := func(e *decide.Engine, times int) {
		for range times {
			if d, _, err := e.Decide(h.ctx, ask); err != nil || d.Outcome != verdict.Allow {
				t.Fatalf("%v %s %s %+v", err, d.Outcome, rulesOf(d), d.Errors)
			}
		}
	}
	for range 3 { // each writes what the other has not seen
		asked(one, 2)
		asked(two, 1)
	}
	asked(one, 240) // more than is read at first
	h.under(calm)   // a process that begins
	for who, e := range map[string]*decide.Engine{"who asked": one, "who asked seldom": two, "who begins": h.engine} {
		h.engine = e
		h.now = h.now.Add(time.Second)
		d := h.gate(ask) // replay gathers it once more, from the beginning
		if got := fmt.Sprint(h.listed(d.ID)); d.Outcome != verdict.Allow || got != "[dev production staging]" {
			t.Errorf("%s: %s %s, with promotions to %s", who, d.Outcome, rulesOf(d), got)
		}
		if n := len(d.Evidence); n > 25 {
			t.Errorf("%s: the decision names %d statements: it rests on a few, and not on each time that it was asked", who, n)
		}
	}
}
