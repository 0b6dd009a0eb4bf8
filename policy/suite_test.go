package policy

import (
	"context"
	"os"
	"path/filepath"
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

func writeFile(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

var symlink = os.Symlink
