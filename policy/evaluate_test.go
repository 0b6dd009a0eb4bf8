package policy

import (
	"context"
	"testing"
	"time"

	"verdict"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func mustBuiltin(t testing.TB) *Bundle {
	t.Helper()
	b, err := Builtin()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestLeakedSecretFailsAndACleanTreePasses(t *testing.T) {
	b := mustBuiltin(t)
	in := Example(verdict.LayerCI)
	e, err := b.Evaluate(context.Background(), Query{Rules: []string{"ci.secrets.none"}, Input: in, At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Results) != 1 || e.Results[0].Status != verdict.RulePass {
		t.Fatalf("clean tree: %+v", e)
	}
	c := in.Checks["secrets"]
	c.Failed = []Hit{{Key: "aws:config.py:1", Detector: "aws", Message: "AWS key", Path: "config.py", Line: 1}}
	in.Checks["secrets"] = c
	in.Normalize()
	e, err = b.Evaluate(context.Background(), Query{Rules: []string{"ci.secrets.none"}, Input: in, At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Results) != 1 || e.Results[0].Status != verdict.RuleFail || len(e.Results[0].Items) != 1 {
		t.Fatalf("leaked key: %+v", e)
	}
	t.Logf("%+v %v", e.Results[0], b.Rules()[0].Reads)
}
