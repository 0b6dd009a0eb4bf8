package decide_test

import (
	"crypto/rand"
	"fmt"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
)

// One repository of two services: what was trusted as a part of the one was never checked as
// a part of the other, whose owner is asked about nothing.
func TestWhatIsTrustedAsOneServiceIsNotLetInAsAnother(t *testing.T) {
	h := gateHouse(t, calm)
	r := h.asks(artifact, "dev")
	r.Service, r.Team = "web", "web"
	d := h.gate(r)
	if d.Outcome != verdict.Deny || missing(d) != "vsa" {
		t.Fatalf("%s %s, missing %q", d.Outcome, rulesOf(d), missing(d))
	}
	for _, x := range d.Reasons {
		if x.Rule == "evidence.missing" && !strings.Contains(x.Items[0].Message+x.Items[0].Fix, "payments") {
			t.Errorf("it is not told for which service it was decided: %+v", x.Items[0])
		}
	}
	h.checkCommit("web")
	h.now = h.now.Add(time.Minute)
	if d := h.trust(artifact, "web"); d.Outcome != verdict.Allow {
		t.Fatalf("%s %s", d.Outcome, rulesOf(d))
	}
	if d := h.gate(r); d.Outcome != verdict.Allow {
		t.Errorf("trusted as web as well: %s %s", d.Outcome, rulesOf(d))
	}
	if d := h.gate(h.asks(artifact, "dev")); d.Outcome != verdict.Allow {
		t.Errorf("it is not payments' any more: %s %s", d.Outcome, rulesOf(d))
	}
}

// Whoever may state nothing can still state it often. A finding that is open stays open
// under any number of statements that count for nothing.
func TestWhatNobodyTrustsHidesNoOpenFinding(t *testing.T) {
	h := gateHouse(t, calm)
	h.enroll("stranger")
	h.observed(`{"id":"f-1","class":"misuse","state":"open"}`)
	for i := range 205 {
		h.observedBy("stranger", fmt.Sprintf(`{"id":"s-%d","class":"drift","state":"closed"}`, i))
	}
	if d := h.gate(h.asks(artifact, "production")); !strings.Contains(rulesOf(d), "deploy.gate.misuse") {
		t.Errorf("%s: %s", d.Outcome, rulesOf(d))
	}
}

// Decisions by whoever may not take them leave what was promoted, and since when a flaw is
// known, as they were.
func TestDecisionsOfOthersHideNoPromotion(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.matched(artifact, h.vulnerable("", time.Hour))
	h.promote(artifact, "dev", "staging", "production")
	h.now = h.now.Add(29 * 24 * time.Hour)
	h.enroll("stranger")
	next := digestOf("c")
	next.Name = "ghcr.io/acme/payments-next"
	h.built(next)
	h.matched(next, h.vulnerable("", time.Hour))
	h.promote(next, "dev", "staging")
	for _, e := range []string{"dev", "staging", "production"} {
		h.forged("stranger", next, e, 60)
	}
	h.now = h.now.Add(48 * time.Hour)
	h.matched(next, h.vulnerable("", time.Hour))
	if d := h.gate(h.asks(next, "production")); d.Outcome != verdict.Deny || rulesOf(d) != "deploy.gate.sla" {
		t.Errorf("31 days after it was first brought: %s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
}

// forged records decisions that let an artifact in somewhere, as anybody with a key can.
func (h *house) forged(signer string, about verdict.Subject, environment string, n int) {
	h.t.Helper()
	for i := range n {
		s, err := evidence.New(verdict.KindDecision, []verdict.Subject{about}, verdict.Decision{
			ID: fmt.Sprintf("d-forged%s%d", environment, i), Point: "deploy.gate", Layer: verdict.LayerDeploy, Subject: about, Service: "payments", Environment: environment,
			Outcome: verdict.Allow, Enforced: verdict.Allow, At: h.now,
		}, verdict.Context{At: h.now, Service: "payments", Environment: environment, Point: "deploy.gate"}, rand.Reader)
		must(h.t, err)
		h.append(signer, s)
	}
}
