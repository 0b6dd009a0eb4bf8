package decide_test

import (
	"crypto/rand"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
)

// An emergency that nobody reviewed binds the service: another one does not let past it, and
// neither does it end when its giver may no longer break the glass. Somebody could otherwise
// break it for ever, with nobody ever looking.
func TestAnUnreviewedEmergencyBindsTheService(t *testing.T) {
	h := newHouse(t, chain(calm))
	under := func(who string) {
		t.Helper()
		text := chain(calm) + "break_glass: {who: [" + who + "], requires: [incident, rationale], max_validity: 4h, review_within: 24h, notify: [security]}\n"
		m, err := decisionmap.Load("verdict.yaml", []byte(text))
		must(t, err)
		h.engine = &decide.Engine{Ledger: h.ledger, Map: m, Policy: h.engine.Policy, Signer: h.keys["local"], Now: h.engine.Now, Rand: rand.Reader, KeyName: h.keyName}
	}
	under("payments")
	h.checkCommit("payments")
	h.built(artifact)
	h.enroll("jane")
	g := &gate{house: h}
	breaks := func(id string) {
		b := verdict.BreakGlass{
			ID: id, Step: verdict.StepBegin, Incident: "INC-1", Rationale: "payments are down", Service: "payments", Environment: "dev", Subject: artifact.Digest,
			By: "jane", Teams: []string{"payments"}, Created: h.now, Expires: h.now.Add(2 * time.Hour), ReviewBy: h.now.Add(24 * time.Hour),
		}
		g.says("jane", verdict.KindBreakGlass, b, verdict.Context{Service: b.Service, Environment: b.Environment}, artifact, verdict.DeploymentSubject(b.Service, b.Environment))
	}
	bad := h.vulnerable("", time.Hour)
	bad.Hits[0].Vulnerability.Exploited = true
	h.matched(artifact, bad)
	breaks("b-1")
	if d := h.gate(h.asks(artifact, "dev")); d.Outcome != verdict.Allow || d.BreakGlass != "b-1" {
		t.Fatalf("the emergency lets nothing in: %s %s %+v", d.Outcome, rulesOf(d), d.Aside)
	}
	h.now = h.now.Add(25 * time.Hour)
	h.matched(artifact, clean("vulnerabilities"))
	denied := func(why string) verdict.Decision {
		t.Helper()
		d := h.gate(h.asks(artifact, "dev"))
		if d.Outcome != verdict.Deny || !strings.Contains(rulesOf(d), "deploy.gate.emergencies") {
			t.Errorf("%s: %s %s", why, d.Outcome, rulesOf(d))
		}
		return d
	}
	denied("it is overdue")
	breaks("b-2")
	if d := denied("the glass is broken anew"); d.BreakGlass != "" || len(d.Aside) == 0 {
		t.Errorf("the second emergency lets past the first: %q %+v", d.BreakGlass, d.Aside)
	}
	under("security")
	denied("its giver left")
}

// Another build of the commit is told where the rules let it in. What an emergency let in went
// past them, and saw nothing that a promotion stands for.
func TestWhatAnEmergencyLetInIsNoPromotionOfAnotherBuild(t *testing.T) {
	for _, emergency := range []bool{false, true} {
		h := newHouse(t, chain(calm)+"break_glass: {who: [payments], requires: [incident, rationale], max_validity: 4h, review_within: 24h, notify: [security]}\n")
		h.checkCommit("payments")
		h.built(artifact)
		h.enroll("jane")
		if emergency {
			bad := h.vulnerable("", time.Hour)
			bad.Hits[0].Vulnerability.Exploited = true
			h.matched(artifact, bad)
			b := verdict.BreakGlass{
				ID: "b-1", Step: verdict.StepBegin, Incident: "INC-1", Rationale: "payments are down", Service: "payments", Environment: "dev", Subject: artifact.Digest,
				By: "jane", Teams: []string{"payments"}, Created: h.now, Expires: h.now.Add(2 * time.Hour), ReviewBy: h.now.Add(24 * time.Hour),
			}
			(&gate{house: h}).says("jane", verdict.KindBreakGlass, b, verdict.Context{Service: b.Service, Environment: b.Environment}, artifact, verdict.DeploymentSubject(b.Service, b.Environment))
		}
		if d := h.gate(h.asks(artifact, "dev")); d.Outcome != verdict.Allow || (d.BreakGlass != "") != emergency {
			t.Fatalf("%s %s by %q", d.Outcome, rulesOf(d), d.BreakGlass)
		}
		again := digestOf("c")
		h.built(again)
		d := h.gate(h.asks(again, "staging"))
		if told := len(h.inputOf(d).Promotions.Rebuilt) == 1; told == emergency {
			t.Errorf("emergency %t: told %t, %s %s", emergency, told, d.Outcome, rulesOf(d))
		}
	}
}

// Whoever sets the clock of a machine back would pass a freeze before it begins, and live on an
// exception that is over. The log knows the time of its last entry.
func TestAClockThatIsBehindTheLogDecidesNothing(t *testing.T) {
	h := gateHouse(t, calm)
	last := h.now
	for behind, decides := range map[time.Duration]bool{0: true, 4 * time.Minute: true, 6 * time.Minute: false, 30 * 24 * time.Hour: false} {
		h.now = last.Add(-behind)
		before, err := h.ledger.Position(h.ctx)
		must(t, err)
		_, err = h.engine.Preview(h.ctx, h.asks(artifact, "dev"))
		if !decides {
			_, _, err = h.engine.Decide(h.ctx, h.asks(artifact, "dev"))
		}
		if (err == nil) != decides || err != nil && (verdict.AsError(err).Code != verdict.CodeUnavailable || !strings.Contains(err.Error(), "this machine's clock says")) {
			t.Errorf("%s behind: %v", behind, err)
		}
		if after, _ := h.ledger.Position(h.ctx); after != before {
			t.Errorf("%s behind: something was recorded", behind)
		}
	}
}
