package policy

import (
	"context"
	"testing"
)

func TestEveryBuiltinRuleHoldsTheLaws(t *testing.T) {
	report, err := mustBuiltin(t).Test(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	t.Log("\n" + report.Text())
	if !report.OK() {
		t.Error("the built-in rules break a law")
	}
	for _, c := range report.Coverage {
		if c.Percent() < 100 {
			t.Errorf("%s: %d %% of it runs in its tests, not all", c.File, c.Percent())
		}
	}
	if report.Proof.Rules != len(mustBuiltin(t).Rules()) {
		t.Errorf("%d of %d rules proven", report.Proof.Rules, len(mustBuiltin(t).Rules()))
	}
}
