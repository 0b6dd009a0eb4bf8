package decide_test

import (
	"crypto/rand"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
)

// becameKnown records a finding of what runs in production.
func (h *house) becameKnown(signer string, about verdict.Subject, change func(f *verdict.Finding)) {
	h.t.Helper()
	v := h.vulnerable("", time.Hour).Hits[0].Vulnerability
	f := verdict.Finding{
		Kind: verdict.FindingVulnerable, State: verdict.FindingOpen, Fingerprint: verdict.NewDigest("sha256", strings.Repeat("7", 64)), Environment: "production", Service: "payments",
		Name: about.Name, Digest: about.Digest, Advisories: append([]string{v.ID}, v.Aliases...), Severity: verdict.SeverityHigh, Exploited: true,
		Components: []verdict.Component{v.Component}, Fixed: "9.9.9", Opened: h.now, Replaces: -1,
	}
	change(&f)
	s, err := evidence.New(verdict.KindFinding, []verdict.Subject{about}, f, verdict.Context{At: h.now, Service: "payments", Environment: "production", Point: f.Kind}, rand.Reader)
	must(h.t, err)
	h.append(signer, s)
}

// What became known of what runs holds back what leaves it running, and never the version that
// takes its place: that may be the repair.
func TestWhatRunsVulnerableHoldsBackWhatLeavesItRunning(t *testing.T) {
	same := digestOf("9") // an earlier version of the artifact that is asked about
	late := func(f *verdict.Finding) { f.Exploited, f.Opened = false, f.Opened.Add(-31*24*time.Hour) }
	for name, c := range map[string]struct {
		tell    func(h *house)
		outcome verdict.Outcome
		rules   string
	}{
		"another artifact is exploited":      {func(h *house) { h.becameKnown("local", older, func(*verdict.Finding) {}) }, verdict.Review, "deploy.gate.vulnerable"},
		"another artifact, for too long":     {func(h *house) { h.becameKnown("local", older, late) }, verdict.Review, "deploy.gate.vulnerable"},
		"another artifact, for a day":        {func(h *house) { h.becameKnown("local", older, func(f *verdict.Finding) { f.Exploited = false }) }, verdict.Allow, ""},
		"what this takes the place of":       {func(h *house) { h.becameKnown("local", same, func(*verdict.Finding) {}) }, verdict.Allow, ""},
		"what this takes the place of, late": {func(h *house) { h.becameKnown("local", same, late) }, verdict.Allow, ""},
		"it was closed": {func(h *house) {
			h.becameKnown("local", older, func(*verdict.Finding) {})
			h.becameKnown("local", older, func(f *verdict.Finding) { f.State = verdict.FindingClosed })
		}, verdict.Allow, ""},
		"a stranger says so": {func(h *house) { h.enroll("mallory"); h.becameKnown("mallory", older, func(*verdict.Finding) {}) }, verdict.Allow, ""},
		"a stranger closes it": {func(h *house) {
			h.becameKnown("local", older, func(*verdict.Finding) {})
			h.enroll("mallory")
			h.becameKnown("mallory", older, func(f *verdict.Finding) { f.State = verdict.FindingClosed })
		}, verdict.Review, "deploy.gate.vulnerable"},
		"this has it as well, and since then": {func(h *house) { h.becameKnown("local", same, late); h.matched(artifact, h.vulnerable("", time.Hour)) }, verdict.Deny, "deploy.gate.sla"},
		"this has it as well, and not so long": {func(h *house) {
			h.becameKnown("local", same, func(f *verdict.Finding) { f.Exploited = false })
			h.matched(artifact, h.vulnerable("", time.Hour))
		}, verdict.Allow, ""},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, calm)
			h.seasoned(calm)
			h.promote(artifact, "dev", "staging")
			c.tell(h)
			d := h.gate(h.asks(artifact, "production"))
			if d.Outcome != c.outcome || rulesOf(d) != c.rules {
				t.Errorf("%s: %s, want %s: %s\n%+v", d.Outcome, rulesOf(d), c.outcome, c.rules, d.Errors)
			}
			// Advisories are no observation: nobody looked for drift, exposure or misuse.
			if in := h.inputOf(d); in.Runtime.State != verdict.StateMissing || slices.Contains(d.Passed, "deploy.gate.drift") {
				t.Errorf("the runtime is %s, passed %v", in.Runtime.State, d.Passed)
			}
		})
	}
}

// Who may tell what he sees could otherwise close what the match with advisories opened.
func TestAWeakerObserverClosesNoVulnerability(t *testing.T) {
	for closes, want := range map[string]int{"eye": 1, "local": 0} {
		h := newHouse(t, strings.Replace(chain(calm), "\nbuilders:", "\n  - {name: second eye, key: eye, kinds: [finding], services: [\"*\"], environments: [\"*\"]}\nbuilders:", 1))
		h.checkCommit("payments")
		h.built(artifact)
		h.enroll("eye")
		h.becameKnown("eye", older, func(*verdict.Finding) {})
		h.becameKnown("local", older, func(*verdict.Finding) {})
		h.becameKnown(closes, older, func(f *verdict.Finding) { f.State = verdict.FindingClosed })
		if got := h.inputOf(h.gate(h.asks(artifact, "production"))).Runtime.Vulnerable.Open; len(got) != want {
			t.Errorf("closed by %s, %d are open: %+v", closes, len(got), got)
		}
	}
}

// Whose place an artifact takes is not for whoever asks to say: by the name of another one, what
// that leaves vulnerable would be held against nobody.
func TestNobodyAsksAwayWhatRunsVulnerable(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.promote(artifact, "dev", "staging")
	worker := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/worker", Digest: verdict.NewDigest("sha256", strings.Repeat("8", 64))}
	h.becameKnown("local", worker, func(*verdict.Finding) {})
	ask := h.asks(artifact, "production")
	ask.Subject.Name = worker.Name
	if d := h.gate(ask); d.Outcome != verdict.Review || rulesOf(d) != "deploy.gate.vulnerable" {
		t.Errorf("%s %s %+v", d.Outcome, rulesOf(d), d.Errors)
	}
}

// To go back is no way around a repair that is due, and waits for none.
func TestGoingBackWaitsForNoRepairOfAnother(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.promote(artifact, "dev", "staging", "production")
	h.becameKnown("local", verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/worker", Digest: verdict.NewDigest("sha256", strings.Repeat("8", 64))}, func(*verdict.Finding) {})
	if d := h.gate(h.asks(older, "production")); d.Outcome != verdict.Allow || !d.Rollback {
		t.Errorf("%s %s, rollback %v", d.Outcome, rulesOf(d), d.Rollback)
	}
}
