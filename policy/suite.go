package policy

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/cover"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"

	"verdict"
)

// TestReport is what `verdict policy test` tells of a bundle.
type TestReport struct {
	Outcomes []Outcome  // Rego tests and cases, by place
	Proof    Proof      // what was tried on every rule beyond them
	Coverage []Coverage // of the rule files, by path
}

// Outcome is one test or case.
type Outcome struct {
	Name   string
	At     string // file:line
	Passed bool
	Took   time.Duration
	What   string // what went wrong; "" when it passed
	Remedy string
}

// Coverage says how much of a file the tests and cases ran.
type Coverage struct {
	File    string
	Covered int // lines
	Lines   int // lines that can run
	Missing []int
}

// Percent is rounded down, so that 100 means all of it.
func (c Coverage) Percent() int {
	if c.Lines == 0 {
		return 100
	}
	return 100 * c.Covered / c.Lines
}

// OK reports whether everything passed and something was tested.
func (r *TestReport) OK() bool {
	return len(r.Outcomes) > 0 && len(r.Proof.Failures) == 0 && !slices.ContainsFunc(r.Outcomes, func(o Outcome) bool { return !o.Passed })
}

// Text is the report for people: failures with their remedies, then coverage, then one
// line that sums up.
func (r *TestReport) Text() string {
	var b strings.Builder
	failed := 0
	for _, o := range r.Outcomes {
		if !o.Passed {
			failed++
			fmt.Fprintf(&b, "FAIL  %s  %s\n      %s\n      → %s\n", o.At, o.Name, indent(o.What), indent(o.Remedy))
		}
	}
	for _, f := range r.Proof.Failures {
		fmt.Fprintf(&b, "FAIL  %s  %s\n      %s\n      → %s\n", f.At, f.Rule, indent(f.What), indent(f.Remedy))
	}
	for _, c := range r.Coverage {
		fmt.Fprintf(&b, "%3d %%  %s%s\n", c.Percent(), c.File, missing(c.Missing))
	}
	fmt.Fprintf(&b, "%s, %d failed; %s\n", counted(len(r.Outcomes), "test", "tests"), failed, r.Proof)
	if len(r.Outcomes) == 0 {
		b.WriteString("nothing was tested: write *_test.rego files or *.cases.yaml beside the rules\n")
	}
	return b.String()
}

func indent(s string) string { return strings.ReplaceAll(strings.TrimSpace(s), "\n", "\n      ") }

func missing(lines []int) string {
	if len(lines) == 0 {
		return ""
	}
	var words []string
	for _, l := range lines[:min(len(lines), 12)] {
		words = append(words, fmt.Sprint(l))
	}
	if len(lines) > 12 {
		words = append(words, "…")
	}
	return "  (not run: line " + strings.Join(words, ", ") + ")"
}

// tested reports whether tests, cases and coverage of this file belong to the report: a
// user's bundle answers for its own files, the built-in one for the built-in rules.
func (b *Bundle) tested(name string) bool {
	if !strings.HasPrefix(name, BuiltinPrefix) {
		return true
	}
	for other := range b.files {
		if !strings.HasPrefix(other, BuiltinPrefix) {
			return false
		}
	}
	return true
}

// Test runs the bundle's Rego tests and cases, proves its rules (see Prove) and
// measures coverage. The error is for tests that cannot be read or compiled.
func (b *Bundle) Test(ctx context.Context) (*TestReport, error) {
	cases, err := b.Cases()
	if err != nil {
		return nil, err
	}
	seen := cover.New()
	report := &TestReport{}
	if report.Outcomes, err = b.regoTests(ctx, seen); err != nil {
		return nil, err
	}
	for _, c := range cases {
		report.Outcomes = append(report.Outcomes, b.runCase(ctx, c, seen))
	}
	slices.SortStableFunc(report.Outcomes, func(x, y Outcome) int { return strings.Compare(x.At, y.At) })
	report.Coverage = b.coverage(seen)
	report.Proof = Prove(ctx, b, cases)
	return report, ctx.Err()
}

// regoTests runs every test_ rule of the *_test.rego files with the builtins that rules
// have, and no other.
func (b *Bundle) regoTests(ctx context.Context, seen *cover.Cover) ([]Outcome, error) {
	c := &compilation{files: b.files, modules: map[string]*ast.Module{}}
	tests := 0
	for _, name := range slices.Sorted(maps.Keys(b.files)) {
		if isCases(name) || isTest(name) && !b.tested(name) {
			continue
		}
		if isTest(name) {
			tests++
		}
		m, err := ast.ParseModuleWithOpts(name, b.files[name], ast.ParserOptions{Capabilities: reduced(), RegoVersion: ast.RegoV1, ProcessAnnotation: true})
		if err != nil {
			c.engineProblems(name, err)
		} else if m != nil {
			c.modules[name] = m
		}
	}
	if err := join(c.problems); err != nil || tests == 0 {
		return nil, err
	}
	runner := tester.NewRunner().
		SetCompiler(ast.NewCompiler().WithCapabilities(withTestCase()).WithDefaultRegoVersion(ast.RegoV1).WithEnablePrintStatements(true)).
		SetModules(c.modules).SetCoverageRuns(nil).SetCoverageQueryTracer(seen).
		RaiseBuiltinErrors(true).SetParallel(1)
	results, err := runner.RunTests(ctx, nil)
	if err != nil {
		c.engineProblems("tests", err)
		return nil, join(c.problems)
	}
	var out []Outcome
	for r := range results {
		out = append(out, outcomeOf(r))
	}
	return out, nil
}

// withTestCase adds the builtin that the tester itself puts into tests.
func withTestCase() *ast.Capabilities {
	c := *reduced()
	c.Builtins = append(slices.Clone(c.Builtins), ast.InternalTestCase)
	return &c
}

func outcomeOf(r *tester.Result) Outcome {
	o := Outcome{Name: r.Package + "." + r.Name, At: where(r.Location), Took: r.Duration, Passed: r.Pass()}
	switch {
	case o.Passed:
		return o
	case r.Skip:
		o.What, o.Remedy = "the test is skipped by its name", "finish it and name it test_…, or remove it"
	case r.Error != nil:
		o.What, o.Remedy = r.Error.Error(), "correct the test or the rule that it calls"
	default:
		o.What, o.Remedy = "the test is not true", "compare what the rule returns with what the test demands; print(…) in the test shows values"
	}
	if out := strings.TrimSpace(string(r.Output)); out != "" {
		o.What += "\n" + clip(out, maxText)
	}
	return o
}

// runCase compares what the rules say with what the case expects.
func (b *Bundle) runCase(ctx context.Context, c Case, seen topdown.QueryTracer) Outcome {
	started := time.Now()
	o := Outcome{Name: c.Name, At: fmt.Sprintf("%s:%d", c.File, c.Line)}
	e, err := b.evaluateCase(ctx, c, seen)
	o.Took = time.Since(started)
	if err != nil {
		o.What, o.Remedy = err.Error(), verdict.AsError(err).Remedy
		return o
	}
	var wrong []string
	for _, x := range c.Expect {
		if d := e.differs(x); d != "" {
			wrong = append(wrong, x.Rule+" "+d)
		}
	}
	o.Passed = len(wrong) == 0
	if !o.Passed {
		o.What, o.Remedy = strings.Join(wrong, "\n"), "correct the rule, or the case when the rule is right"
	}
	return o
}

func (b *Bundle) evaluateCase(ctx context.Context, c Case, seen topdown.QueryTracer) (*Evaluation, error) {
	rules, err := b.active(Query{Rules: c.rules()})
	if err != nil {
		return nil, err
	}
	input, err := c.Input.value(b.limits.InputBytes)
	if err != nil {
		return nil, err
	}
	r := b.newRun(input, c.Input.Decision.Layer, c.At)
	r.watch = seen
	return r.bounded(ctx, rules)
}

func (c Case) rules() []string {
	var ids []string
	for _, e := range c.Expect {
		ids = append(ids, e.Rule)
	}
	return ids
}

// differs says how the evaluation differs from what is expected of one rule; "" when it
// does not.
func (e *Evaluation) differs(x Expectation) string {
	got, r := e.status(x.Rule)
	if got != x.Status {
		what := fmt.Sprintf("is %s, expected %s", got, x.Status)
		if r != nil {
			what += ": " + r.Message
		}
		for _, f := range e.Faults {
			if f.Rule == x.Rule {
				what += ": " + f.What
			}
		}
		return what
	}
	if r == nil {
		return ""
	}
	if x.Items != nil {
		if keys := r.keys(); !slices.Equal(keys, x.Items) {
			return fmt.Sprintf("has items %v, expected %v", keys, x.Items)
		}
	}
	if !strings.Contains(r.Message, x.Message) {
		return fmt.Sprintf("says %q, expected %q in it", r.Message, x.Message)
	}
	return ""
}

// status is the word for what a rule of the query did.
func (e *Evaluation) status(id string) (string, *Result) {
	for i := range e.Results {
		if e.Results[i].Rule.ID == id {
			return string(e.Results[i].Status), &e.Results[i]
		}
	}
	if slices.Contains(e.Silent, id) {
		return ExpectSilent, nil
	}
	return ExpectFault, nil
}

func (r *Result) keys() []string {
	keys := make([]string, len(r.Items))
	for i, x := range r.Items {
		keys[i] = x.Key
	}
	return keys
}

func (b *Bundle) coverage(seen *cover.Cover) []Coverage {
	modules := map[string]*ast.Module{}
	for name := range b.files {
		if isRule(name) && b.tested(name) {
			modules[name] = b.compiler.Modules[name]
		}
	}
	report := seen.Report(modules)
	out := []Coverage{}
	for name := range modules {
		f := report.Files[name]
		if f == nil {
			continue
		}
		c := Coverage{File: name, Covered: f.CoveredLines, Lines: f.CoveredLines + f.NotCoveredLines}
		for _, r := range f.NotCovered {
			c.Missing = append(c.Missing, r.Start.Row)
		}
		slices.Sort(c.Missing)
		c.Missing = slices.Compact(c.Missing)
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y Coverage) int { return cmp.Compare(x.File, y.File) })
	return out
}
