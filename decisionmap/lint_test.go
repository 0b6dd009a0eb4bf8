package decisionmap

import (
	"errors"
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
	rule("ci.dependencies.pinned", func(r *testRule) { r.Package = "verdict.rules.ci.dependencies.pinned" }),
	rule("ci.iac.forbidden", func(r *testRule) { r.Package = "verdict.rules.ci.iac.forbidden" }),
	rule("code.ownership.paths", func(r *testRule) { r.Package = "verdict.rules.code.ownership.paths" }),
	rule("deploy.gate.trusted", func(r *testRule) {
		r.Package, r.Evidence = "verdict.rules.deploy.gate.trusted", []verdict.Kind{verdict.KindSBOM}
	}),
	rule("deploy.plan.reach", func(r *testRule) { r.Package = "verdict.rules.deploy.plan.reach" }),
	rule("code.review.signed", func(r *testRule) { r.Package = "verdict.rules.code.review.signed" }),
	rule("artifact.trust.sbom", func(r *testRule) {
		r.Package, r.Reads = "verdict.rules.artifact.trust.sbom", []string{"input.artifact.sbom.state"}
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
	return Lint(m, stepOne, LintOptions{Now: now, History: map[string]History{
		"deploy.often": {Decisions: 100, Asked: map[string]int{"acme.review": 51}}, "deploy.half": {Decisions: 100, Asked: map[string]int{"acme.review": 50}},
		"deploy.new": {Decisions: 19, Asked: map[string]int{"acme.review": 19}},
	}, Enrolled: map[string]string{"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=": "noor", anID: "local"}})
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
	if len(lintRules) != 39 {
		t.Errorf("the table has %d rules; the design has 33, and VD-G07, VD-O03, VD-T02, VD-T03, VD-T04 and VD-T05 came to them", len(lintRules))
	}
}

func TestTheTextOfTheLinter(t *testing.T) {
	m := load(t, `schema: verdict/v1
service: payments-api
team: payments
adopting: true
adopting_until: 2027-02-01
environments: {dev: {tier: dev}, prod: {tier: prod, promote_from: dev, blast_radius: global}}
points:
  - id: ci.licences
    question: Is every licence allowed and is every notice shipped?
    mode: warn
    needs: [licences, environment]
    policy: [acme.no-remedy, acme.missing]
`)
	var b strings.Builder
	if err := WriteProblems(&b, Lint(m, stepOne, LintOptions{Now: now}), NotBuilt(m, stepOne)); err != nil {
		t.Fatal(err)
	}
	golden(t, "lint.txt", []byte(b.String()))
}

func TestWhileAdoptingThreeRulesWarnUntilTheDayThatIsNamed(t *testing.T) {
	const text = `schema: verdict/v1
service: payments-api
team: payments
owner: lead@acme.example
iac: infra
adopting: true
environments: {dev: {tier: dev}, prod: {tier: prod, promote_from: dev, exposure: internet, data: restricted, blast_radius: service, rollback: required}}
`
	dated := load(t, text+"adopting_until: 2027-02-01\n")
	severities := func(m *Map, o LintOptions) (out []string, what string) {
		for _, p := range Lint(m, stepOne, o) {
			out = append(out, p.ID+" "+string(p.Severity))
			what += p.What + "\n"
		}
		return out, what
	}
	for name, c := range map[string]struct {
		m        *Map
		o        LintOptions
		severity string
		says     string
	}{
		"before the day they warn":                     {dated, LintOptions{Now: now}, "W", "an error from 2027-02-01"},
		"from the day on they bind":                    {dated, LintOptions{Now: time.Date(2027, 2, 1, 0, 0, 0, 0, time.UTC)}, "E", "the time of adopting is over"},
		"without a day it is ninety days from now":     {load(t, text), LintOptions{Now: now}, "W", "an error from 2027-02-21"},
		"or ninety days from the beginning":            {load(t, text), LintOptions{Now: now, AdoptingSince: now.AddDate(0, 0, -30)}, "W", "an error from 2027-01-22"},
		"which may be over":                            {load(t, text), LintOptions{Now: now, AdoptingSince: now.AddDate(0, 0, -91)}, "E", "over"},
		"without a clock nobody can say that it is on": {load(t, text), LintOptions{}, "E", "over"},
	} {
		t.Run(name, func(t *testing.T) {
			got, what := severities(c.m, c.o)
			want := []string{"VD-E04 " + c.severity, "VD-G01 " + c.severity, "VD-G02 " + c.severity}
			if !slices.Equal(got, want) || !strings.Contains(what, c.says) {
				t.Errorf("got %v: %s", got, what)
			}
		})
	}
}

// A ci rule that reads the environment must not decide, whether or not anybody linted.
func TestAMapIsNotBoundToRulesThatReadWhatTheirLayerMayNot(t *testing.T) {
	licences := "sources: {scanner: [licences]}\npoints: [{id: ci.licences, question: \"Is every licence allowed?\", needs: [licences], policy: %s, produces: {kind: licences-check}, owner: legal, feeds: [artifact.trust]}]\n"
	for name, c := range map[string]struct{ text, want string }{
		"the environment":           {strings.Replace(licences, "%s", "acme.reads-environment", 1), "reads input.environment.exposure"},
		"everything":                {strings.Replace(licences, "%s", "acme.reads-everything", 1), "reads the whole input"},
		"promotions":                {strings.Replace(licences, "%s", "acme.reads-promotions", 1), "reads input.promotions"},
		"an approval, as a need":    {"points: [{id: code.review, needs: [change, approval]}]\n", "needs approval"},
		"a finding of the run time": {"points: [{id: artifact.trust, needs: [sbom, drift-finding]}]\n", "needs drift-finding"},
	} {
		t.Run(name, func(t *testing.T) {
			err := Bind(load(t, smallest+c.text), stepOne)
			var e *verdict.Error
			if !errors.As(err, &e) || e.Remedy == "" || !strings.Contains(e.What, "VD-L02") || !strings.Contains(e.What, c.want) {
				t.Errorf("got %v", err)
			}
		})
	}
	if err := Bind(acme(t), stepOne); err != nil {
		t.Errorf("acme's map is refused: %v", err)
	}
}

func TestPointsWithoutRulesYetAreNamedAndTypingErrorsAreNotAmongThem(t *testing.T) {
	m := load(t, smallest)
	got := NotBuilt(m, stepOne)
	if len(got) != len(m.Points)-10 || slices.ContainsFunc(got, func(p string) bool { return !strings.HasPrefix(p, "runtime.") }) {
		t.Errorf("not built yet: %v", got)
	}
	typo := load(t, smallest+"points: [{id: artifact.trust, policy: verdict.rules.artifact.truts}]\n")
	if slices.Contains(NotBuilt(typo, stepOne), "artifact.trust") {
		t.Error("a typing error counts as not built yet")
	}
	problems := Lint(typo, stepOne, LintOptions{Now: now})
	if len(problems) != 1 || problems[0].ID != "VD-P01" || !strings.Contains(problems[0].What, `the nearest is "verdict.rules.artifact.trust"`) {
		t.Errorf("got %+v", problems)
	}
	typo = load(t, smallest+"points: [{id: ci.iac, policy: verdict.rules.ci.iacs}]\n")
	if problems := Lint(typo, stepOne, LintOptions{Now: now}); len(problems) != 1 || !strings.Contains(problems[0].What, `the nearest is "verdict.rules.ci.iac"`) {
		t.Errorf("got %+v", problems)
	}
	if got := NotBuilt(m, bundle{}); len(got) != len(m.Points)-10 || slices.Contains(got, "code.review") || slices.Contains(got, "ci.iac") {
		t.Errorf("without a rule, not built yet are %v; a bundle that lacks the rules of a point which is built is VD-P01", got)
	}
}

func TestTheExampleOrganisationLintsClean(t *testing.T) {
	if problems := Lint(acme(t), stepOne, LintOptions{Now: now}); len(problems) != 0 {
		t.Errorf("got %+v", problems)
	}
}
