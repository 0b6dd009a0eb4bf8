package main

import (
	"fmt"
	"strings"
	"testing"

	"verdict"
	"verdict/decisionmap"
	"verdict/policy"
)

// A yes that is nearly always asked for is given without looking, and nobody notices unless
// what was decided is looked at.
func TestLintTellsARuleThatNearlyAlwaysAsks(t *testing.T) {
	w, _ := installation(t)
	files := rulesSaying("look at it")
	files["own.rego"] = strings.Replace(files["own.rego"], "effect: deny", "effect: review", 1)
	rules, err := policy.Compile(files, policy.CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := decisionmap.Load("verdict.yaml", []byte(`schema: verdict/v1
points:
  - {id: deploy.cost, layer: deploy, question: "Is the cost agreed?", mode: observe, needs: [vsa], policy: acme.own, produces: {kind: cost-check}, owner: web, review: {approvers: [web]}}
`))
	if err != nil {
		t.Fatal(err)
	}
	for i := range 120 {
		d := verdict.Decision{ID: fmt.Sprintf("d-%d", i), Point: "deploy.cost", At: w.now(), Subject: verdict.Subject{Kind: verdict.SubjectArtifact, Name: "app", Digest: sha256Digest([]byte{byte(i)})}}
		if i%5 > 0 {
			d.Reasons = []verdict.Reason{{Rule: "acme.own", Effect: verdict.EffectReview, Standing: verdict.Approved}}
		}
		if _, err := w.state(t.Context(), verdict.KindDecision, d.Subject, d, verdict.Context{Point: d.Point}); err != nil {
			t.Fatal(err)
		}
	}
	h, err := w.app.history(t.Context(), m, rules)
	if err != nil || h["deploy.cost"].Decisions != 100 || h["deploy.cost"].Asked["acme.own"] != 80 {
		t.Fatalf("%+v (%v)", h, err)
	}
	var told bool
	for _, p := range decisionmap.Lint(m, rules, decisionmap.LintOptions{Now: w.now(), History: h}) {
		told = told || p.ID == "VD-A04" && strings.Contains(p.What, "80 of the last 100")
	}
	if !told {
		t.Error("nobody is told")
	}
}
