package decide_test

import (
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/ledger"
	"verdict/policy"
)

// known gives since when the one vulnerability of a decision is known.
func (h *house) known(id string) policy.Time {
	h.t.Helper()
	_, b := h.basisOf(id)
	in, err := policy.ParseInput(b.Input)
	must(h.t, err)
	if len(in.Vulnerabilities.Findings) != 1 {
		h.t.Fatalf("%d findings", len(in.Vulnerabilities.Findings))
	}
	return in.Vulnerabilities.Findings[0].Since
}

// Who may ask a gate may ask about anything. Were the time of a vulnerability counted by the
// last question alone, one about an image without any would begin it anew, and it would never
// be over.
func TestAQuestionAboutSomethingElseMakesNoVulnerabilityYounger(t *testing.T) {
	other := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/worker", Digest: digestOf("e").Digest}
	for name, between := range map[string]func(h *house){
		"which is let in by nobody": func(h *house) {
			for _, letter := range []string{"1", "2", "3"} {
				if d := h.gate(h.asks(digestOf(letter), "production")); d.Outcome == verdict.Allow {
					t.Fatal("what nobody knows was let in")
				}
			}
		},
		"which is another image of the service": func(h *house) {
			h.built(other)
			h.promote(other, "dev", "staging", "production")
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := gateHouse(t, calm)
			h.seasoned(calm)
			h.matched(artifact, h.vulnerable("", time.Hour))
			h.promote(artifact, "dev", "staging", "production")
			first := h.known(h.gate(h.asks(artifact, "production")).ID)
			h.now = h.now.Add(24 * time.Hour)
			between(h)
			next := digestOf("c")
			h.built(next)
			h.matched(next, h.vulnerable("", time.Hour))
			if again := h.known(h.gate(h.asks(next, "production")).ID); again != first {
				t.Errorf("known since %s, and a new build since %s", first, again)
			}
		})
	}
}

// By the name of another image of the service, which was let in since, whoever asks would make a
// vulnerability as young as they like.
func TestNobodyAsksAVulnerabilityYounger(t *testing.T) {
	other, next := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/worker", Digest: digestOf("e").Digest}, digestOf("c")
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.matched(artifact, h.vulnerable("", time.Hour))
	h.promote(artifact, "dev", "staging", "production")
	first := h.known(h.gate(h.asks(artifact, "production")).ID)
	h.now = h.now.Add(24 * time.Hour)
	h.built(other)
	h.promote(other, "dev", "staging", "production")
	h.built(next)
	h.matched(next, h.vulnerable("", time.Hour))
	ask := h.asks(next, "production")
	ask.Subject.Name = other.Name
	if again := h.known(h.gate(ask).ID); again != first {
		t.Errorf("known since %s, and under another name since %s", first, again)
	}
}

// What the last decision knew may be lost. Then nobody knows since when: the gate says so for
// as long as the vulnerability is there, and takes it neither for young nor stops for ever.
func TestSinceWhenIsNotKnownOnceItIsLost(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	h.matched(artifact, h.vulnerable("", time.Hour))
	h.promote(artifact, "dev", "staging", "production")
	last := h.gate(h.asks(artifact, "production"))
	entry, _, err := h.ledger.DecisionStatement(h.ctx, last.ID, ledger.Now)
	must(t, err)
	lost := lostEntry{h.ledger, entry.Index}
	whole := h.engine
	begins := func() {
		h.engine = &decide.Engine{Ledger: lost, Map: whole.Map, Policy: whole.Policy, Signer: whole.Signer, Now: whole.Now, Rand: whole.Rand, KeyName: h.keyName}
	}
	begins()
	asked := func() verdict.Decision {
		d, _, err := h.engine.Decide(h.ctx, h.asks(artifact, "production"))
		must(t, err)
		return d
	}
	d := asked()
	if since := h.known(d.ID); since != "" || d.Outcome != verdict.Deny || rulesOf(d) != "deploy.gate.sla" {
		t.Errorf("known since %q: %s %s %+v", since, d.Outcome, rulesOf(d), d.Errors)
	}
	if out, err := (&decide.Replayer{Ledger: lost, KeyName: h.keyName}).Replay(h.ctx, d.ID, ledger.Now); err != nil || !out.Same || out.Facts.State != verdict.StateUnknown {
		t.Errorf("replayed: %+v, %v", out, err)
	}
	cached := asked() // from what the engine still has in memory
	begins()
	for who, d := range map[string]verdict.Decision{"the same process": cached, "another": asked()} {
		if since := h.known(d.ID); since != "" || d.Outcome != verdict.Deny {
			t.Errorf("%s takes it for known since %q: %s", who, since, d.Outcome)
		}
	}
}

// Two versions of a component in one artifact have the same flaw, and one of them may be known
// for longer. Whatever is in memory, that time is the one that goes on.
func TestOfTwoVersionsTheOlderTimeGoesOn(t *testing.T) {
	h := gateHouse(t, calm)
	h.seasoned(calm)
	two := func(about verdict.Subject, versions ...string) {
		r := h.vulnerable("", time.Hour)
		hit := r.Hits[0]
		r.Hits, r.Scope.Components = nil, int64(len(versions))
		for _, version := range versions {
			x, v := hit, *hit.Vulnerability
			v.Component.Version, v.Component.PURL = version, "pkg:npm/lodash@"+version
			v.Aliases = []string{"GHSA-" + version}
			x.Key, x.Vulnerability = "CVE-1 "+v.Component.PURL, &v
			r.Hits = append(r.Hits, x)
		}
		h.matched(about, r)
	}
	two(artifact, "3.0.0", "4.0.0")
	opened := h.now.Add(-20 * 24 * time.Hour)
	h.becameKnown("local", artifact, func(f *verdict.Finding) {
		f.Opened, f.Advisories, f.Exploited = opened, []string{"GHSA-3.0.0"}, false
	})
	h.promote(artifact, "dev", "staging", "production")
	h.becameKnown("local", artifact, func(f *verdict.Finding) { f.State = verdict.FindingClosed })
	next := digestOf("c")
	h.built(next)
	two(next, "5.0.0")
	r := h.asks(next, "production")
	warm, _, err := h.engine.Decide(h.ctx, r)
	must(t, err)
	if got := h.known(warm.ID); got != policy.TimeOf(opened) {
		t.Errorf("known since %s, want %s", got, policy.TimeOf(opened))
	}
	h.gate(r) // replays by an engine that has nothing in memory
}
