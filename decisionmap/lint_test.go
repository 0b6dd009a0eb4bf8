package decisionmap

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// now is the day on which the tests take place.
var now = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// bundle is a policy bundle as the linter sees it.
type bundle []testRule

type testRule struct {
	verdict.Rule
	forbidden []string
}

func (b bundle) Select(selector string) ([]verdict.Rule, bool) {
	var out []verdict.Rule
	name := strings.TrimSuffix(selector, ".*")
	for _, r := range b {
		if r.ID == name || r.Package == name || strings.HasPrefix(r.ID, name+".") || strings.HasPrefix(r.Package, name+".") {
			out = append(out, r.Rule)
		}
	}
	return out, len(out) > 0
}

func (b bundle) Forbidden(id string) []string {
	for _, r := range b {
		if r.ID == id {
			return r.forbidden
		}
	}
	return nil
}

func rule(id string, change func(*testRule)) testRule {
	r := testRule{Rule: verdict.Rule{ID: id, Package: id, Effect: verdict.EffectDeny, Remediation: "mend it", Owner: "security"}}
	if change != nil {
		change(&r)
	}
	return r
}

func reads(refs ...string) func(*testRule) { return func(r *testRule) { r.Reads = refs } }

// stepOne has the rules that come with this step, and rules of an organisation.
var stepOne = bundle{
	rule("ci.secrets.none", func(r *testRule) { r.Package, r.Reads = "verdict.rules.ci.secrets", []string{"input.checks.secrets"} }),
	rule("ci.vulnerabilities.fixable", func(r *testRule) {
		r.Package, r.Reads = "verdict.rules.ci.vulnerabilities.fixable", []string{"input.vulnerabilities"}
	}),
	rule("acme.fine", reads("input.checks.licences")),
	rule("acme.reads-environment", reads("input.checks.licences", "input.environment.exposure")),
	rule("acme.reads-everything", reads("input")),
	rule("acme.reads-promotions", reads("input.promotions", "input.requester.name")),
	rule("acme.reads-sbom", reads("input.artifact.sbom.state")),
	rule("acme.review", func(r *testRule) { r.Effect = verdict.EffectReview }),
	rule("acme.no-remedy", func(r *testRule) { r.Remediation = " " }),
	rule("acme.note-without-remedy", func(r *testRule) { r.Effect, r.Remediation = verdict.EffectNote, "" }),
	rule("acme.calls-home", func(r *testRule) { r.forbidden = []string{"http.send"} }),
	rule("acme.announced-late", func(r *testRule) { r.EffectiveOn = now.AddDate(0, 0, 120) }),
	rule("acme.announced-soon", func(r *testRule) { r.EffectiveOn = now.AddDate(0, 0, 30) }),
}

func load(t *testing.T, text string) *Map {
	t.Helper()
	m, err := Load("verdict.yaml", []byte(text))
	if err != nil {
		t.Fatalf("%v\nin:\n%s", err, text)
	}
	return m
}

// A rule that nothing violates may not work, and one that has no near miss may refuse
// what is right: each has files for both, and violates nothing else beside it.
func TestEachLintRuleHasAFileThatViolatesItAloneAndANearMiss(t *testing.T) {
	for _, r := range lintRules {
		bad := fixtures(t, r.ID, "bad")
		for _, file := range bad {
			t.Run(r.ID+"/"+filepath.Base(file)+" is found and nothing else", func(t *testing.T) {
				problems := lintFile(t, file)
				if len(problems) != 1 || problems[0].ID != r.ID || problems[0].Severity != r.Severity {
					t.Fatalf("got %d problems: %+v", len(problems), problems)
				}
				p := problems[0]
				if p.Where == "" || p.What == "" || p.Remedy == "" {
					t.Errorf("a problem that nobody can act on: %+v", p)
				}
			})
		}
		for _, file := range fixtures(t, r.ID, "near") {
			t.Run(r.ID+"/"+filepath.Base(file)+" passes", func(t *testing.T) {
				if problems := lintFile(t, file); len(problems) != 0 {
					t.Fatalf("got %+v", problems)
				}
			})
		}
	}
}

func fixtures(t *testing.T, id, kind string) []string {
	t.Helper()
	dir := filepath.Join("testdata", "lint", id)
	if _, err := os.Stat(filepath.Join(dir, kind+".yaml")); err != nil {
		t.Fatalf("the rule %s of the table has no %s file: %v", id, kind, err)
	}
	files, err := filepath.Glob(filepath.Join(dir, kind+"*.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func lintFile(t *testing.T, file string) []Problem {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	m, err := Load(FileName, text)
	if err != nil {
		t.Fatal(err)
	}
	return Lint(m, stepOne, LintOptions{Now: now})
}

func TestNoFixtureBelongsToARuleThatDoesNotExist(t *testing.T) {
	dirs, err := os.ReadDir("testdata/lint")
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range dirs {
		if !slices.ContainsFunc(lintRules, func(r LintRule) bool { return r.ID == d.Name() }) {
			t.Errorf("testdata/lint/%s is of no rule", d.Name())
		}
	}
	if len(lintRules) != 32 {
		t.Errorf("the table has %d rules; the design has 33 with VD-A04, which needs history", len(lintRules))
	}
}
