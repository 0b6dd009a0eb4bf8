package decide

import (
	"testing"
	"time"

	"verdict"
	"verdict/policy"
)

// Who tries a policy wants to know whom it would ask. A yes that people gave holds under
// other rules that ask for the same, and does not hold where they ask for more; else every
// approved deployment would look like one that waits.
func TestABacktestKeepsApprovalsOfTheSameFacts(t *testing.T) {
	compile := func(text string) *policy.Bundle {
		t.Helper()
		b, err := policy.Compile(map[string]string{"a.rego": text}, policy.CompileOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	rule := func(id, message, key string) string {
		return "# METADATA\n# title: T\n# custom:\n#   id: " + id + "\n#   effect: review\n#   severity: low\n#   evidence: [vsa]\n#   remediation: R\n#   owner: web\npackage " + id +
			"\n\ncheck := {\"status\": \"fail\", \"message\": \"" + message + "\", \"items\": [{\"key\": \"" + key + "\", \"message\": \"m\"}]} if input.subject.kind == \"change\"\n"
	}
	in := policy.Example(verdict.LayerDeploy)
	raw, err := in.Canonical()
	if err != nil {
		t.Fatal(err)
	}
	rec := &recorded{
		Decision: verdict.Decision{Point: "deploy.gate", Mode: verdict.ModeBlock, Outcome: verdict.Allow},
		Basis: Basis{Schema: BasisSchema, Input: raw, Case: Case{
			Point: "deploy.gate", Layer: verdict.LayerDeploy, Mode: verdict.ModeBlock, At: noon, Policy: "sha256:then", Approvers: 2,
			Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Digest: "sha256:aa"}, Environment: "prod", Service: "pay",
		}},
	}
	judge := func(text string) Conclusion {
		t.Helper()
		b := &backtesting{Backtest: &Backtest{Policy: compile(text)}}
		out, u, err := b.judge(t.Context(), rec, pointPlan{rules: b.Policy.Rules()[:1]})
		if u != nil || err != nil {
			t.Fatal(u, err)
		}
		return out
	}
	asks := judge(rule("a.b", "look at it", "one"))
	if asks.Outcome != verdict.Review || asked(rec, asks).after != 2 {
		t.Fatalf("nobody is asked: %+v", asks)
	}
	for _, who := range []string{"alma", "noor"} {
		rec.Basis.Case.Approvals = append(rec.Basis.Case.Approvals, verdict.Approval{
			ID: "AP-" + who, By: who, Rules: []string{"a.b"}, Facts: asks.Facts, Shown: []verdict.ShownReason{Shown(asks.Reasons[0])}, Created: noon.Add(-time.Minute), Expires: noon.Add(time.Hour),
		})
	}
	for name, c := range map[string]struct {
		text string
		is   verdict.Outcome
	}{
		"in other words":      {rule("a.b", "please look at it", "one"), verdict.Allow},
		"for one more thing":  {rule("a.b", "look at it", "two"), verdict.Review},
		"by another rule too": {rule("a.a", "look at it", "one"), verdict.Review},
	} {
		if out := judge(c.text); out.Outcome != c.is || asked(rec, out).after != 2 {
			t.Errorf("%s: %s, which asks %d", name, out.Outcome, asked(rec, out).after)
		}
	}
}
