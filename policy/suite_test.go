package policy

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/format"

	"verdict"
)

func TestEveryBuiltinRuleHoldsTheLaws(t *testing.T) {
	b := mustBuiltin(t)
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() {
		t.Error("the built-in rules break a law:\n" + report.Text())
	}
	for _, c := range report.Coverage {
		if c.Percent() < 100 {
			t.Errorf("%s: %d %% of it runs in its tests, not all", c.File, c.Percent())
		}
	}
	if report.Proof.Rules != len(b.Rules()) || report.Proof.Evaluations < 5000 || len(report.Coverage) < len(b.Rules()) {
		t.Errorf("%s, %d files measured; there are %d rules", report.Proof, len(report.Coverage), len(b.Rules()))
	}
	cases, err := b.Cases()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range b.Rules() {
		for _, status := range []string{"pass", "fail", "skip"} {
			if !slices.ContainsFunc(cases, func(c Case) bool { return slices.ContainsFunc(c.Expect, Expectation{Rule: r.ID, Status: status}.alike) }) {
				t.Errorf("no case shows an input on which rule %s is %s: nobody knows whether it can be", r.ID, status)
			}
		}
		name := strings.ReplaceAll(strings.TrimPrefix(r.Package, "verdict.rules."), ".", "_")
		for _, file := range []string{name + ".rego", name + "_test.rego"} {
			if b.files[BuiltinPrefix+file] == "" {
				t.Errorf("rule %s has no file %s of its own", r.ID, file)
			}
		}
		if r.Owner == "" || r.Remediation == "" || len(r.Evidence) == 0 {
			t.Errorf("rule %s lacks an owner, a remediation or the evidence that it rests on", r.ID)
		}
	}
}

func (e Expectation) alike(x Expectation) bool { return e.Rule == x.Rule && e.Status == x.Status }

// TestEveryBuiltinRuleFoldsWhatIsTooMuch: a repository with more findings than anybody
// reads still gives one decision of bounded size.
func TestEveryBuiltinRuleFoldsWhatIsTooMuch(t *testing.T) {
	b := mustBuiltin(t)
	in := Example(verdict.LayerCI)
	c := in.Checks["secrets"]
	for n := range 5003 {
		c.Failed = append(c.Failed, Hit{Key: fmt.Sprintf("S-%05d", n)})
		path := fmt.Sprintf("p-%05d", n)
		in.Ownership.Unowned = append(in.Ownership.Unowned, UnownedPath{Path: path})
		in.Ownership.Disputed = append(in.Ownership.Disputed, DisputedPath{Path: path})
		in.Ownership.Protected = append(in.Ownership.Protected, ProtectedPath{Path: path})
		in.Change.Contributors = append(in.Change.Contributors, Contributor{ID: path})
		in.Change.Unsigned = append(in.Change.Unsigned, UnsignedCommit{ID: verdict.Digest(path)})
	}
	in.Checks["secrets"], in.Service.SignedCommits = c, true
	many := in
	for _, r := range b.Rules() {
		in := many
		if slices.Contains(fewItems, r.ID) || strings.HasPrefix(r.ID, "deploy.") { // deployment has a test of its own
			continue
		}
		if strings.HasPrefix(r.ID, "artifact.trust.") {
			in = manyOfArtifact(r.ID)
		}
		d := in.Checks["dependencies"]
		d.Failed = nil
		for n := range rulesOf(r.ID, "ci.dependencies.", 5003) { // keys as the check gives them
			detector := folded[strings.TrimPrefix(r.ID, "ci.dependencies.")]
			d.Failed = append(d.Failed, Hit{Key: fmt.Sprintf("%s:2020-01-01:%05d", detector, n), Detector: detector})
		}
		in.Checks["dependencies"] = d
		x := in.Checks["iac"]
		x.Failed = nil
		for n := range rulesOf(r.ID, "ci.iac.", 5003) { // each of the detector and severity that the rule is about
			h := Hit{Key: fmt.Sprintf("iac:%05d", n), Detector: "AVD-AWS-0107", Severity: verdict.SeverityHigh}
			switch r.ID {
			case "ci.iac.valid":
				h.Detector = "invalid"
			case "ci.iac.advised":
				h.Severity = verdict.SeverityLow
			}
			x.Failed = append(x.Failed, h)
		}
		in.Checks["iac"] = x
		if strings.HasPrefix(r.ID, "ci.vulnerabilities.") { // an input holds so many only where it holds little else
			in = Example(verdict.LayerCI)
			bad := r.ID != "ci.vulnerabilities.stated"
			for n := range 5003 {
				key := fmt.Sprintf("V-%05d", n)
				in.Vulnerabilities.Findings = append(in.Vulnerabilities.Findings, Finding{Key: key, ID: "V", Fixed: "1", Exploited: bad, Malicious: bad})
				if !bad {
					in.Vulnerabilities.VEX = append(in.Vulnerabilities.VEX, VEX{Key: key, Counts: true, Status: "not_affected", Justification: "x"})
				}
			}
		}
		in.Normalize()
		e, err := b.Evaluate(t.Context(), Query{Rules: []string{r.ID}, Input: in, At: noon})
		if err != nil {
			t.Fatal(err)
		}
		if len(e.Results) != 1 {
			t.Fatalf("%s: silent %v, faults %v", r.ID, e.Silent, e.Faults)
		}
		got := e.Results[0]
		if n := len(got.Items); got.Status != verdict.RuleFail || n != 5001 || !strings.Contains(got.Items[n-1].Message, "3 further items") {
			t.Errorf("%s: %s with %d items", r.ID, got.Status, n)
		}
	}
}

// fewItems are the rules that can find no more than a few things: one merge has three faults
// at most, one digest one bill.
var fewItems = []string{"code.review.merge", "artifact.trust.signed", "artifact.trust.sbom", "artifact.trust.inventory"}

// manyOfArtifact is an artifact about which the rule has 5003 things to say.
func manyOfArtifact(rule string) *Input {
	in := Example(verdict.LayerArtifact)
	in.Checks = map[string]Check{"secrets": {}}
	for n := range 5003 {
		name := fmt.Sprintf("x%05d", n)
		against := Decided{Need: name, Point: "p", State: verdict.StateVerified, Outcome: verdict.Deny, Decision: "d"}
		switch rule {
		case "artifact.trust.checked":
			in.Artifact.Checked = append(in.Artifact.Checked, against)
		case "artifact.trust.reviewed":
			in.Artifact.Reviewed = append(in.Artifact.Reviewed, against)
		case "artifact.trust.rebuilt":
			in.Artifact.Rebuilds = append(in.Artifact.Rebuilds, Rebuild{Digest: verdict.Digest(name)})
		default:
			in.Artifact.Provenance.Unknown = append(in.Artifact.Provenance.Unknown, name)
		}
	}
	return in
}

// folded has a detector for each rule about dependencies; other tools have names of their own.
var folded = map[string]string{
	"locked": "lockfile-missing", "integrity": "hash-changed", "pinned": "unpinned", "source": "internal-name-from-public-registry",
	"licences": "licence-refused", "supported": "end-of-life", "suspect": "install-script-added",
}

// userBundle is what a team might write, with one file of cases.
func userBundle(t *testing.T, rules map[string]string, cases string) *Bundle {
	t.Helper()
	files := map[string]string{"acme.cases.yaml": "schema: verdict.cases/v1\ncases:\n" + cases}
	for id, body := range rules {
		files[strings.ReplaceAll(id, ".", "_")+".rego"] = strings.Replace(ruleFile(id, body), ".one.", ".ci.", 1)
	}
	b, err := Compile(files, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const twoFindings = `
  - name: two findings
    input:
      vulnerabilities:
        findings:
          - {key: a, id: V-1, fixed: "1"}
          - {key: b, id: V-2, fixed: "2"}
    expect: {acme.fix: {status: fail, items: [a, b]}}
  - name: none
    expect: {acme.fix: pass}
`

// TestProveFindsRulesThatLoseAReason shows each law on a rule that breaks it, as people
// write such rules.
func TestProveFindsRulesThatLoseAReason(t *testing.T) {
	known := "input.vulnerabilities.state == \"verified\"\n\tinput.vulnerabilities.complete\n\tinput.vulnerabilities.database.state == \"verified\"\n\t"
	for name, c := range map[string]struct{ body, cases, law, what string }{
		"a finding without the member that decides is no finding": {`fixable := [f | some f in input.vulnerabilities.findings; f.fixed != ""]
check := {"status": "fail", "message": "x", "items": [{"key": f.key} | some f in fixable]} if count(fixable) > 0
check := {"status": "pass", "message": "x"} if {
	` + known + `count(fixable) == 0
}`, twoFindings, LawOmission, "without input.vulnerabilities.findings.0.fixed it is fail and loses a reason without a word"},
		"an item whose message is undefined vanishes": {`check := {"status": "fail", "message": "x", "items": [{"key": f.key, "message": f.id} | some f in input.vulnerabilities.findings]} if count(input.vulnerabilities.findings) > 0
check := {"status": "pass", "message": "x"} if {
	` + known + `count(input.vulnerabilities.findings) == 0
}`, twoFindings, LawOmission, "without input.vulnerabilities.findings.0.id"},
		"an empty list passes whatever its state": {`check := {"status": "fail", "message": "x", "items": [{"key": f.key} | some f in input.vulnerabilities.findings]} if count(input.vulnerabilities.findings) > 0
check := {"status": "pass", "message": "x"} if count(input.vulnerabilities.findings) == 0`, twoFindings, LawState, "with input.vulnerabilities.state = missing it still passes"},
		"an incomplete list passes": {`check := {"status": "fail", "message": "x", "items": [{"key": f.key} | some f in input.vulnerabilities.findings]} if count(input.vulnerabilities.findings) > 0
check := {"status": "pass", "message": "x"} if {
	input.vulnerabilities.state == "verified"
	count(input.vulnerabilities.findings) == 0
}`, twoFindings, LawState, "with input.vulnerabilities.complete = false it still passes"},
		"a pass as the rest of an else": {`check := {"status": "fail", "message": "x", "items": [{"key": f.key} | some f in input.vulnerabilities.findings]} if {
	count(input.vulnerabilities.findings) > 0
	input.service.tier != ""
} else := {"status": "pass", "message": "x"}`, twoFindings, LawOmission, "without input.service it is pass"},
		"no case in which it fails": {`check := {"status": "pass", "message": "x"} if input.vulnerabilities.state == "verified"`,
			"\n  - {name: none, expect: {acme.fix: pass}}\n", LawComplete, "no case shows an input on which it is fail"},
	} {
		t.Run(name, func(t *testing.T) {
			b := userBundle(t, map[string]string{"acme.fix": c.body}, c.cases)
			report, err := b.Test(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, o := range report.Outcomes {
				if !o.Passed {
					t.Errorf("case %s: %s", o.Name, o.What)
				}
			}
			for _, f := range report.Proof.Failures {
				if f.Law == c.law && strings.Contains(f.What, c.what) && f.Rule == "acme.fix" && f.Remedy != "" && f.At != "" {
					if report.OK() || !strings.Contains(report.Text(), f.What) || !strings.Contains(report.Text(), f.Remedy) {
						t.Error("the report does not tell it:\n" + report.Text())
					}
					return
				}
			}
			t.Errorf("no broken law %s with %q in\n%s", c.law, c.what, report.Text())
		})
	}
}

// A rule that does not end must not keep its author waiting for as many deadlines as the
// proof has changed inputs, and the rule beside it is proven all the same.
func TestARuleThatDoesNotEndIsTriedOnce(t *testing.T) {
	b := userBundle(t, map[string]string{
		"acme.fix": `check := {"status": "pass", "message": "x"} if {
	n := numbers.range(1, 100000)
	count([1 | some a in n; some b in n; a * b == -1]) == 0
}`,
		"acme.zero": `check := {"status": "pass", "message": "x"} if input.vulnerabilities.database.name != ""`,
	}, "\n  - {name: none, expect: {acme.fix: pass, acme.zero: pass}}\n")
	b.limits.Steps = 20_000
	cases, err := b.Cases()
	if err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	p := Prove(t.Context(), b, cases)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("the proof took %s", took)
	}
	var laws []string
	for _, f := range p.Failures {
		laws = append(laws, f.Rule+" "+f.Law)
	}
	if got := strings.Join(laws, ", "); !strings.Contains(got, "acme.fix "+LawTime) || !strings.Contains(got, "acme.zero "+LawState) {
		t.Errorf("broken laws: %s", got)
	}
}

// The rule that the documentation gives about licences must hold the laws, or whoever takes it
// over loses a reason in silence.
func TestTheRuleAboutLicencesOfTheDocumentationIsProven(t *testing.T) {
	doc, err := os.ReadFile(filepath.Join("..", "docs", "design", "bill-of-materials.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(doc), "```rego\n")
	text, _, _ = strings.Cut(text, "```")
	b := userBundle(t, map[string]string{"acme.agpl": text}, `
  - {name: free licences alone, expect: {acme.agpl: pass}}
  - {name: one of a choice, input: {artifact: {licences: {declared: [{expression: MIT OR AGPL-3.0-only, ids: [AGPL-3.0-only, MIT], components: 1}]}}}, expect: {acme.agpl: fail}}
  - {name: a component that declares none, input: {artifact: {licences: {unknown: 1}}}, expect: {acme.agpl: fail}}
  - {name: a bill that names nothing, input: {artifact: {licences: {state: unknown, components: 0, declared: []}}}, expect: {acme.agpl: skip}}
`)
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Proof.Failures) > 0 {
		t.Error(report.Text())
	}
}

func TestAGoodRuleOfOnesOwnIsProven(t *testing.T) {
	b := userBundle(t, map[string]string{"acme.fix": `import input.vulnerabilities as matched
fixable := [f | some f in matched.findings; f.fixed != ""]
others := [f | some f in matched.findings; f.fixed == ""]
items := [{"key": f.key} | some f in fixable]
known if { data.verdict.lib.known(matched); matched.database.state == "verified" }
check := {"status": "fail", "message": "x", "items": items} if {
	count(fixable) > 0
	count(items) + count(others) == count(matched.findings)
} else := {"status": "pass", "message": "x"} if {
	count(others) == count(matched.findings)
	known
} else := {"status": "skip", "message": "x"} if {
	count(others) == count(matched.findings)
	not known
}`}, twoFindings)
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Proof.Rules != 1 || len(report.Outcomes) != 2 || len(report.Coverage) != 1 {
		t.Errorf("%d outcomes, %d files, %s\n%s", len(report.Outcomes), len(report.Coverage), report.Proof, report.Text())
	}
	if report.Coverage[0].Percent() >= 100 || len(report.Coverage[0].Missing) == 0 {
		t.Errorf("the skip that no case reaches is not told: %+v", report.Coverage[0])
	}
}

func TestFailingTestsSayWhatToDo(t *testing.T) {
	b, err := Compile(map[string]string{
		"a.rego": ruleFile("acme.ci.x", passes),
		"a_test.rego": `package acme.ci.x_test
import data.acme.ci.x
test_not_true if { print("the name is", input.service.name); x.check.status == "fail" with input as {"checks": {"secrets": {"state": "verified"}}} }
test_true if x.check.status == "pass" with input as {"checks": {"secrets": {"state": "verified"}}}
test_builtin_error if to_number("x") == 1
todo_test_later if true
`,
		"a.cases.yaml": `schema: verdict.cases/v1
cases:
  - name: wrong in every way
    expect:
      acme.one.x: {status: fail, items: [a]}
      ci.secrets.none: {status: pass, message: nothing like this}
      ci.vulnerabilities.fixable: {status: pass}
  - name: a rule that nobody wrote
    expect: {acme.one.y: pass}
  - name: wrong items
    input: {checks: {secrets: {failed: [{key: b}]}}}
    expect: {ci.secrets.none: {status: fail, items: [a]}}
`,
	}, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := report.Text()
	for _, want := range []string{
		"a_test.rego:3  data.acme.ci.x_test.test_not_true", "the test is not true",
		"a_test.rego:5", "to_number", "skipped by its name",
		"acme.one.x is pass, expected fail: fine", `ci.secrets.none says "no secret found in 12 files", expected "nothing like this" in it`,
		`there is no rule "acme.one.y"`, "has items [b], expected [a]", "7 tests, 6 failed",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("the report lacks %q:\n%s", want, text)
		}
	}
	if report.OK() || strings.Contains(text, "test_true") {
		t.Error("the report is wrong:\n" + text)
	}
	for _, o := range report.Outcomes {
		if !o.Passed && (o.What == "" || o.Remedy == "") {
			t.Errorf("%s fails without a reason or a remedy", o.Name)
		}
	}
}

func TestNothingTestedIsNotATestPassed(t *testing.T) {
	b, err := one("acme.ci.x", passes)
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if report.OK() || !strings.Contains(report.Text(), "nothing was tested") {
		t.Error(report.Text())
	}
}

func TestTestsMayCallNoMoreThanRules(t *testing.T) {
	b, err := Compile(map[string]string{"a.rego": ruleFile("acme.ci.x", passes),
		"a_test.rego": "package t\ntest_x if http.send({\"url\": \"http://localhost\", \"method\": \"get\"})"}, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	_, err = b.Test(t.Context())
	wantError(t, err, "rules may not call http.send", "evidence")
}

func TestConftestRulesCannotBeProven(t *testing.T) {
	b, err := Compile(map[string]string{"a.rego": "package main\ndeny contains \"no owner\" if input.service.owner == \"\"",
		"a.cases.yaml": "schema: verdict.cases/v1\ncases:\n  - {name: none, input: {service: {owner: ''}}, expect: {main.deny: {status: fail, items: [no owner]}}}\n"}, CompileOptions{Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	report, err := b.Test(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !report.OK() || report.Proof.Partial != 1 || !strings.Contains(report.Text(), "cannot be proven") {
		t.Error(report.Text())
	}
}

func TestATestRunThatIsStoppedSaysSo(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if report, err := mustBuiltin(t).Test(ctx); err == nil {
		t.Error("a stopped run reports no error: " + report.Text())
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

// TestBuiltinRulesAreFormattedAndStrict holds the rules that people will copy from to the
// language's own form, without unused names.
func TestBuiltinRulesAreFormattedAndStrict(t *testing.T) {
	files, err := embeddedFiles()
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]*ast.Module{}
	for name, text := range files {
		if isCases(name) {
			continue
		}
		want, err := format.SourceWithOpts(name, []byte(text), format.Opts{RegoVersion: ast.RegoV1})
		if err != nil {
			t.Fatal(err)
		}
		if *update && string(want) != text {
			writeFile(t, filepath.Join("rules", strings.TrimPrefix(name, BuiltinPrefix)), string(want))
		}
		if d := cmp.Diff(string(want), text); d != "" && !*update {
			t.Errorf("%s is not formatted; run go test ./policy -update\n%s", name, d)
		}
		if modules[name], err = ast.ParseModuleWithOpts(name, text, ast.ParserOptions{RegoVersion: ast.RegoV1}); err != nil {
			t.Fatal(err)
		}
	}
	c := ast.NewCompiler().WithStrict(true)
	if c.Compile(modules); c.Failed() {
		t.Error(c.Errors)
	}
}

// rulesOf is n for a rule of a family and none for others: all at once would be more than
// a decision may read.
func rulesOf(rule, family string, n int) int {
	if strings.HasPrefix(rule, family) {
		return n
	}
	return 0
}
