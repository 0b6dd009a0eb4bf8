package main

import (
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// rulesSaying are rules of one's own, proved, that differ in a message.
func rulesSaying(message string) map[string]string {
	return map[string]string{
		"own.rego": `# METADATA
# title: Own
# custom:
#   id: acme.own
#   effect: deny
#   severity: medium
#   evidence: [secrets]
#   remediation: Own it.
#   owner: web
package acme.own

check := {"status": "fail", "message": "` + message + `"} if {
	input.service.state == "verified"
	input.service.team == "web"
} else := {"status": "pass", "message": "fine"} if {
	input.service.state == "verified"
	input.service.team != "web"
} else := {"status": "skip", "message": "not known"} if {
	input.service.state != "verified"
}
`,
		"own.cases.yaml": `schema: verdict.cases/v1
layer: ci
cases:
  - name: web fails
    input: {service: {team: web}}
    expect: {acme.own: fail}
  - name: another passes
    input: {service: {team: shop}}
    expect: {acme.own: pass}
`,
	}
}

// stateRules records a release or proposal of rules as a client that keeps no rules would.
func stateRules(t *testing.T, w *workspace, kind verdict.Kind, files map[string]string, said rulesRelease) int64 {
	t.Helper()
	var err error
	said.Action = actionPolicyRelease
	if said.Bundle == "" {
		said.Bundle = policy.DigestOf(files)
	}
	if said.Source, err = w.keepRules(t.Context(), files); err != nil {
		t.Fatal(err)
	}
	e, err := w.state(t.Context(), kind, verdict.Subject{Kind: verdict.SubjectArtifact, Name: "policy", Digest: said.Bundle}, said, verdict.Context{})
	if err != nil {
		t.Fatal(err)
	}
	return e.Index
}

// agreedRules lets one key propose rules and another release them.
func agreedRules(t *testing.T, w *workspace, proposer, releaser string, files map[string]string, said rulesRelease) int64 {
	t.Helper()
	w.as(t, proposer)
	said.Proposal = -1
	said.Proposal = stateRules(t, w, verdict.KindProposal, files, said)
	w.as(t, releaser)
	return stateRules(t, w, verdict.KindPolicyRelease, files, said)
}

// organised is a ledger with a map, a first policy, and persons: mei enrolled alma and noor.
func organised(t *testing.T) (w *workspace, talk interface{ String() string }, first int64) {
	t.Helper()
	w, out := installation(t)
	stateMap(t, w, verdict.KindMapRelease, smallOrganisation, mapRelease{Replaces: -1, Proposal: -1})
	first = stateRules(t, w, verdict.KindPolicyRelease, rulesSaying("first"), rulesRelease{Organization: "acme", Replaces: -1, Rollback: -1, Proposal: -1})
	enrollForTest(t, w, "mei")
	w.as(t, "mei")
	enrollForTest(t, w, "alma", "noor", "builder")
	return w, out, first
}

// decidesBy is the entry whose policy decides now.
func decidesBy(t *testing.T, w *workspace) int64 {
	t.Helper()
	w.chosen, w.told = nil, nil
	c, err := w.policyFor(t.Context(), decisionmap.Builtin())
	if err != nil {
		t.Fatal(err)
	}
	return c.release.index()
}

// Who may sign with one key, or with two that are in one hand, must not choose the rules by
// which everybody is judged, whatever the statement says.
func TestAPolicyThatWasNotAgreedToCountsAsAbsent(t *testing.T) {
	next := rulesSaying("next")
	for _, c := range []struct {
		name  string
		forge func(w *workspace, said rulesRelease)
		says  string
	}{
		{"one person alone", func(w *workspace, said rulesRelease) {
			w.as(t, "alma")
			said.Proposal, said.Reviewers = -1, []string{"alma", "noor"}
			stateRules(t, w, verdict.KindPolicyRelease, next, said)
		}, "alma alone released it"},
		{"one person twice", func(w *workspace, said rulesRelease) { agreedRules(t, w, "alma", "alma", next, said) }, "alma proposed it and released it"},
		{"two keys in one hand", func(w *workspace, said rulesRelease) { agreedRules(t, w, "mei", "alma", next, said) }, "mei enrolled the key of alma, so the two do not count as two persons"},
		{"this machine's own key", func(w *workspace, said rulesRelease) { agreedRules(t, w, "alma", "local", next, said) }, `"local", who signed it, is no person who may release a policy`},
		{"a key of no person of the map", func(w *workspace, said rulesRelease) { agreedRules(t, w, "builder", "alma", next, said) }, "is no proposal of this policy"},
		{"another organisation", func(w *workspace, said rulesRelease) {
			said.Organization = "other"
			agreedRules(t, w, "alma", "noor", next, said)
		}, `for the organisation "other", and the map in force was of "acme"`},
		{"a time that had passed", func(w *workspace, said rulesRelease) {
			said.Effective = w.now().Add(-time.Hour)
			agreedRules(t, w, "alma", "noor", next, said)
		}, "was recorded later"},
		{"a time in ten years", func(w *workspace, said rulesRelease) {
			said.Effective = w.now().Add(10 * 366 * 24 * time.Hour)
			agreedRules(t, w, "alma", "noor", next, said)
		}, "later than anybody can agree to"},
		{"after another release than the last", func(w *workspace, said rulesRelease) {
			said.Replaces = -1
			agreedRules(t, w, "alma", "noor", next, said)
		}, "another policy was released since"},
		{"other rules than were proposed", func(w *workspace, said rulesRelease) {
			w.as(t, "alma")
			said.Proposal = -1
			said.Proposal = stateRules(t, w, verdict.KindProposal, rulesSaying("harmless"), said)
			w.as(t, "noor")
			stateRules(t, w, verdict.KindPolicyRelease, next, said)
		}, "is no proposal of this policy"},
		{"other files under the digest that was proposed", func(w *workspace, said rulesRelease) {
			said.Bundle = policy.DigestOf(rulesSaying("harmless"))
			w.as(t, "alma")
			said.Proposal = -1
			said.Proposal = stateRules(t, w, verdict.KindProposal, rulesSaying("harmless"), said)
			w.as(t, "noor")
			stateRules(t, w, verdict.KindPolicyRelease, next, said)
		}, "is no proposal of this policy"},
		{"another time than was proposed", func(w *workspace, said rulesRelease) {
			w.as(t, "alma")
			said.Proposal, said.Effective = -1, w.now().Add(time.Hour)
			said.Proposal = stateRules(t, w, verdict.KindProposal, next, said)
			w.as(t, "noor")
			said.Effective = time.Time{}
			stateRules(t, w, verdict.KindPolicyRelease, next, said)
		}, "is no proposal of this policy"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, talk, first := organised(t)
			c.forge(w, rulesRelease{Organization: "acme", Replaces: first, Rollback: -1})
			if got := decidesBy(t, w); got != first {
				t.Errorf("entry %d decides, not %d", got, first)
			}
			if !strings.Contains(talk.String(), c.says) {
				t.Errorf("nobody is told %q: %s", c.says, talk)
			}
		})
	}
}

// The near miss of every case above, and in what order releases take effect.
func TestPoliciesTakeEffectInTheOrderOfTheirTimes(t *testing.T) {
	w, talk, first := organised(t)
	start := w.now().Truncate(time.Second)
	clock := start
	w.app.now = func() time.Time { return clock }
	at := func(hours int) time.Time { return start.Add(time.Duration(hours) * time.Hour) }
	said := func(replaces int64, effective time.Time) rulesRelease {
		return rulesRelease{Organization: "acme", Replaces: replaces, Rollback: -1, Effective: effective}
	}
	late := agreedRules(t, w, "alma", "noor", rulesSaying("late"), said(first, at(5)))
	soon := agreedRules(t, w, "noor", "alma", rulesSaying("soon"), said(late, at(2)))
	same := agreedRules(t, w, "alma", "noor", rulesSaying("same"), said(soon, at(2)))
	for _, c := range []struct {
		hours int
		want  int64
	}{{0, first}, {1, first}, {2, same}, {4, same}, {5, late}, {9, late}} {
		clock = at(c.hours)
		if got := decidesBy(t, w); got != c.want {
			t.Errorf("after %d hours entry %d decides, not %d", c.hours, got, c.want)
		}
	}
	if talk.String() != "" {
		t.Errorf("somebody is told: %s", talk)
	}
}

// A release that cannot decide when its time comes must neither stop every pipeline nor
// leave nobody knowing.
func TestAPolicyThatIsNotGoodLeavesTheLastGoodOneInForce(t *testing.T) {
	unproved := rulesSaying("unproved")
	delete(unproved, "own.cases.yaml")
	for _, c := range []struct {
		name  string
		files map[string]string
		set   func(*rulesRelease)
		says  string
	}{
		{"its files are not those that it names", rulesSaying("swapped"), func(said *rulesRelease) { said.Bundle = policy.DigestOf(rulesSaying("agreed")) }, "and it names sha256:"},
		{"it does not compile", map[string]string{"own.rego": "package acme.own\n\ncheck := http.send({})\n"}, nil, "rules may not call http.send"},
		{"its tests do not hold", unproved, nil, "the tests of the rules of this release do not hold"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, talk, first := organised(t)
			said := rulesRelease{Organization: "acme", Replaces: first, Rollback: -1}
			if c.set != nil {
				c.set(&said)
			}
			bad := agreedRules(t, w, "alma", "noor", c.files, said)
			if got := decidesBy(t, w); got != first {
				t.Errorf("entry %d decides, not %d", got, first)
			}
			notes := w.chosen.notes()
			if len(notes) != 2 || !strings.Contains(notes[1], c.says) || !strings.Contains(talk.String(), "DOES NOT DECIDE") {
				t.Errorf("told: %q, and in the answer %q", talk, notes)
			}
			all, err := w.policyReleases(t.Context(), ledger.Now)
			if err != nil || len(all) != 2 || all[1].index() != bad || !slices.Equal(all[1].By, []string{"alma", "noor"}) {
				t.Errorf("%v (%v)", all, err)
			}
		})
	}
}

// What sweeps blobs must not take the rules that decide.
func TestTheRulesOfAReleaseAreKept(t *testing.T) {
	w, _, first := organised(t)
	agreedRules(t, w, "alma", "noor", rulesSaying("next"), rulesRelease{Organization: "acme", Replaces: first, Rollback: -1})
	if r, err := w.own.Sweep(t.Context()); err != nil || len(r.Marked) > 0 {
		t.Errorf("%d blobs are marked for removal (%v)", len(r.Marked), err)
	}
}

// Whoever signs a decision chooses the rules that its record keeps: replay must tell when
// they are not those that two persons released.
func TestReplayHoldsTheRulesOfADecisionAgainstTheRelease(t *testing.T) {
	w, _, first := organised(t)
	second := agreedRules(t, w, "alma", "noor", rulesSaying("second"), rulesRelease{Organization: "acme", Replaces: first, Rollback: -1})
	e, err := w.ledger.Entry(t.Context(), second)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name  string
		rules map[string]string
		seen  int64
		after time.Duration // the release
		state verdict.State
		same  bool
	}{
		{"before any release", rulesSaying("any"), first, time.Hour, verdict.StatePresent, true},
		{"by what was released", rulesSaying("second"), second + 1, time.Hour, verdict.StateVerified, true},
		{"by what was in force until then", rulesSaying("first"), second, time.Hour, verdict.StateVerified, true},
		{"by the one before, moments after", rulesSaying("first"), second + 1, time.Second, verdict.StateUnknown, true},
		{"by the one before, an hour after", rulesSaying("first"), second + 1, time.Hour, verdict.StateUnknown, true},
		{"by others", rulesSaying("others"), second + 1, time.Hour, verdict.StateFailed, false},
		{"by the built-in ones alone", nil, second + 1, time.Hour, verdict.StateFailed, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{policy.BuiltinPrefix + "lib.rego": "package verdict.lib\n"}
			for name, text := range c.rules {
				files[name] = text
			}
			r := replayed{Replayed: &decide.Replayed{Decision: verdict.Decision{At: e.At.Add(c.after)}, Rules: files, Same: true}}
			r.Facts.Seen = ledger.Position(c.seen)
			if err := w.placePolicy(t.Context(), &r); err != nil {
				t.Fatal(err)
			}
			if r.Policy != c.state || r.Same != c.same || r.PolicyFrom == "" || !c.same && r.Difference == "" {
				t.Errorf("%s, %s; same %v: %s", r.Policy, r.PolicyFrom, r.Same, r.Difference)
			}
		})
	}
}
