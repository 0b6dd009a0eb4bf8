package decide_test

import (
	"crypto/rand"
	"strings"
	"testing"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/policy"
)

// by gives the house another map and other rules of one's own; nil leaves the built-in ones.
func (h *house) by(text string, own map[string]string) {
	h.t.Helper()
	m, err := decisionmap.Load("verdict.yaml", []byte(text))
	must(h.t, err)
	rules, err := policy.Builtin()
	if own != nil {
		rules, err = policy.Compile(own, policy.CompileOptions{})
	}
	must(h.t, err)
	h.engine = &decide.Engine{Ledger: h.ledger, Map: m, Policy: rules, Signer: h.keys["local"], Now: h.engine.Now, Rand: rand.Reader, KeyName: h.keyName}
}

// always is a rule of one's own that answers alike, whatever it is asked.
func always(status string) map[string]string {
	return rule("acme.more.own", "deny", `check := {"status": "`+status+`", "message": "as it says", "observed": input.artifact.state, "expected": "else"}
`)
}

// One key decides for many repositories. Trust that was earned under the map of one of them,
// which asks less, would open the gate of another.
func TestTrustUnderAnotherMapCountsAsFarAsItAskedWhatThisOneAsks(t *testing.T) {
	strict := chain(calm)
	own := func(text string) string {
		return strings.Replace(text, "{id: artifact.trust, mode: block}", "{id: artifact.trust, mode: block, policy: [verdict.rules.artifact.trust, acme.more]}", 1)
	}
	with := func(from, to string) string {
		if !strings.Contains(strict, from) {
			t.Fatalf("the map does not hold %q", from)
		}
		return strings.Replace(strict, from, to, 1)
	}
	sound := func(h *house) {
		h.attest("local", verdict.KindSBOM, artifact, aBill)
		h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	}
	for _, c := range []struct {
		name      string
		lax       string // the map under which it was trusted
		laxRules  map[string]string
		here      string // the map of the gate; empty: strict
		hereRules map[string]string
		facts     func(h *house)
		why       string // empty: it counts
	}{
		{"a map that differs in what does not matter", with("staging: {tier: staging, promote_from: dev}", "staging: {tier: staging, promote_from: dev, soak: 1h}"), nil, "", nil, sound, ""},
		{"a map that asks more", own(strict), always("pass"), "", nil, sound, ""},
		{"a map without a rule", with("{id: artifact.trust, mode: block}", "{id: artifact.trust, mode: block, policy: [verdict.rules.artifact.trust.signed]}"), nil, "", nil, sound, "it did not ask the rule artifact.trust."},
		{"a map without a need", with("{id: artifact.trust, mode: block}", "{id: artifact.trust, mode: block, needs: [signature, provenance, ownership-record, review-record, secrets-check, vulnerabilities-check, dependencies-check]}"), nil, "", nil,
			func(h *house) { h.attest("local", verdict.KindProvenance, artifact, build{}.json()) }, "it did not need sbom"},
		{"a map that trusts another with a bill", with("kinds: [provenance, sbom]", "kinds: [provenance, sbom]"), nil, with("kinds: [provenance, sbom]", "kinds: [provenance]"), nil,
			func(h *house) {
				h.enroll("second")
				h.attest("second", verdict.KindSBOM, artifact, aBill)
				h.attest("local", verdict.KindProvenance, artifact, build{}.json())
			}, "sbom was stated by "},
		{"a map that knows a builder more", with("builders:\n", "builders:\n  - {name: mine, key: second, builder: \"https://ci.example/b\", level: 2, build_types: [\"https://ci.example/t/v1\"], parameters: [repository, ref]}\n"), nil, "", nil,
			func(h *house) {
				h.enroll("second")
				h.attest("local", verdict.KindSBOM, artifact, aBill)
				h.attest("second", verdict.KindProvenance, artifact, build{}.json())
			}, "the builder release signs otherwise than who signed this"},
		{"a map that lets the builder have a parameter more", with("parameters: [repository, ref]", "parameters: [repository, ref, debug]"), nil, "", nil,
			func(h *house) {
				h.attest("local", verdict.KindSBOM, artifact, aBill)
				h.attest("local", verdict.KindProvenance, artifact, build{parameter: `,"debug":true`}.json())
			}, "parameters that the map does not know: debug"},
		{"a map that gives the builder a higher level", with("level: 2", "level: 3"), nil, "", nil, sound, "for build level 3, and by this map it has 2"},
		{"rules of the same name that are others", own(strict), always("pass"), own(strict), always("fail"), sound, "the rule acme.more.own, or what it is made of, was another one"},
		{"rules of the same name that are the same", own(with("soak: 1h", "soak: 2h")), always("pass"), own(strict), always("pass"), sound, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := newHouse(t, strict)
			h.checkCommit("payments")
			h.by(c.lax, c.laxRules)
			c.facts(h)
			h.matched(artifact, clean("vulnerabilities"))
			if d := h.trust(artifact, "payments"); d.Outcome != verdict.Allow {
				t.Fatalf("it is not trusted where less is asked: %s %s %+v", d.Outcome, rulesOf(d), d.Reasons)
			}
			if c.here == "" {
				c.here = strict
			}
			h.by(c.here, c.hereRules)
			d := h.gate(h.asks(artifact, "dev"))
			if c.why == "" {
				if d.Outcome != verdict.Allow {
					t.Errorf("%s %s: %+v", d.Outcome, missing(d), d.Reasons)
				}
				return
			}
			said := ""
			for _, r := range d.Reasons {
				for _, i := range r.Items {
					if i.Key == "vsa" {
						said = i.Message + " " + i.Fix
					}
				}
			}
			if d.Outcome != verdict.Deny || !strings.Contains(said, c.why) || !strings.Contains(said, "verdict artifact trust "+string(artifact.Digest)+" --service payments") {
				t.Errorf("%s, and it says %q", d.Outcome, said)
			}
		})
	}
}
