package policy

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
)

// steps is how many steps rules take on an input.
func steps(t *testing.T, b *Bundle, ids []string, in *Input, change func(*run)) int64 {
	t.Helper()
	term, err := in.value(inputBytes)
	if err != nil {
		t.Fatal(err)
	}
	rules, err := b.active(Query{Rules: ids})
	if err != nil {
		t.Fatal(err)
	}
	r := b.newRun(term, in.Decision.Layer, noon)
	if change != nil {
		change(r)
	}
	if e := r.all(t.Context(), rules); len(e.Results) != len(ids) {
		t.Fatalf("%+v", e)
	}
	return b.limits.Steps - r.budget.left
}

// A decision that depends on how busy the machine was, on what else ran or on whether
// somebody looked on would be another one in its replay.
func TestTheStepsOfADecisionAreItsOwn(t *testing.T) {
	bundle, ids := listBundle(t)
	in := benchInput(true, 40)
	want := steps(t, bundle, ids, in, nil)
	if want < 1000 {
		t.Fatalf("%d steps: nothing is counted", want)
	}
	again := mustBuiltin(t) // compiled once more, with other rules beside
	if a, b := steps(t, again, benched, in, nil), steps(t, bundle, benched, in, nil); a != b {
		t.Errorf("%d steps in one bundle, %d in another", a, b)
	}
	if n := steps(t, bundle, ids, in, func(r *run) { r.trace = &bytes.Buffer{} }); n != want {
		t.Errorf("%d steps with a trace, %d without", n, want)
	}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for range 10 {
				if n := steps(t, bundle, ids, in, nil); n != want {
					t.Errorf("%d steps, and %d before", n, want)
				}
			}
		})
	}
	all.Wait()
}

// The limit itself decides the same on every machine: at it the rule answers, and with
// one step less it is a fault, with the number that somebody has to look at.
func TestTheLimitIsExact(t *testing.T) {
	files := map[string]string{"a.rego": ruleFile("acme.deploy.a", `check := {"status": "pass", "message": "x"} if count([1 | some a in numbers.range(1, 900); a % 7 == 3]) > 5`)}
	b, err := Compile(files, CompileOptions{})
	if err != nil {
		t.Fatal(err)
	}
	need := steps(t, b, []string{"acme.deploy.a"}, Example(verdict.LayerDeploy), nil)
	for less, want := range []int{1, 0} {
		b.limits.Steps = need - int64(less)
		e, err := b.Evaluate(t.Context(), Query{Rules: []string{"acme.deploy.a"}, Input: Example(verdict.LayerDeploy), At: noon})
		if err != nil || len(e.Results) != want || len(e.Faults) != 1-want {
			t.Fatalf("with %d of %d steps: %v %+v", b.limits.Steps, need, err, e)
		}
		if less == 1 && (e.Faults[0].Code != FaultSteps || !strings.Contains(e.Faults[0].What, fmt.Sprintf("more than %d steps", need-1))) {
			t.Errorf("%+v", e.Faults[0])
		}
	}
}

// The largest document that may be decided on leaves the built-in rules their answer:
// whoever has five thousand findings must hear of them, and not of a limit.
func TestTheLargestDocumentIsDecided(t *testing.T) {
	in := benchInput(true, 4980) // every finding and every secret fails
	raw, err := in.Canonical()
	if err != nil || len(raw) < inputBytes*9/10 || len(raw) > inputBytes {
		t.Fatalf("%v: %d bytes are not the largest document", err, len(raw))
	}
	b := mustBuiltin(t)
	var ids []string
	for _, r := range b.Rules() {
		if strings.HasPrefix(r.ID, "ci.") {
			ids = append(ids, r.ID)
		}
	}
	if n := steps(t, b, ids, in, nil); n > b.limits.Steps*3/4 {
		t.Errorf("%d rules take %d of %d steps", len(ids), n, b.limits.Steps)
	}
}

// An artifact with thousands of vulnerabilities, known since as many moments and some of them
// for too long, is refused for these and not because nobody could tell.
func TestManyFindingsOfManyAgesAreDecidedAtAGate(t *testing.T) {
	in := Example(verdict.LayerDeploy)
	for n := range 3000 {
		in.Vulnerabilities.Findings = append(in.Vulnerabilities.Findings, Finding{
			Key: fmt.Sprintf("V-%d@component-%d@1.0.%d", n, n, n), ID: fmt.Sprintf("V-%d", n), Ecosystem: "Go", Name: fmt.Sprintf("example.com/component-%d", n), Version: "1.0.0", Fixed: "1.0.9",
			Severity: verdict.SeverityHigh, SourcePath: "go.sum", Since: TimeOf(noon.Add(-time.Duration(n) * time.Hour)),
		})
	}
	in.Normalize()
	b := mustBuiltin(t)
	var ids []string
	for _, r := range b.Rules() {
		if strings.HasPrefix(r.ID, "deploy.gate.") {
			ids = append(ids, r.ID)
		}
	}
	if n := steps(t, b, ids, in, nil); n > b.limits.Steps*3/4 {
		t.Errorf("%d rules take %d of %d steps", len(ids), n, b.limits.Steps)
	}
}

// On a machine that others use too a decision takes longer, and is the same one. What
// stands still in a builtin ends all the same, also where nobody knows the processor's time.
func TestABusyMachineOnlyTakesLonger(t *testing.T) {
	const pairs = `check := {"status": "pass", "message": "x"} if count([1 | some a in numbers.range(1, 300); some b in numbers.range(1, 300); a == -b]) == 0`
	for name, c := range map[string]struct {
		processor func() (time.Duration, bool)
		code      string
	}{
		"the process got no time":      {func() (time.Duration, bool) { return 0, true }, ""},
		"it got it all":                {processTime, FaultDeadline},
		"nobody knows how much it got": {func() (time.Duration, bool) { return 0, false }, FaultDeadline},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Compile(map[string]string{"a.rego": ruleFile("acme.deploy.a", pairs)}, CompileOptions{Limits: Limits{Time: 2 * time.Millisecond}})
			if err != nil {
				t.Fatal(err)
			}
			rules, err := b.active(Query{Rules: []string{"acme.deploy.a"}})
			if err != nil {
				t.Fatal(err)
			}
			term, err := Example(verdict.LayerDeploy).value(inputBytes)
			if err != nil {
				t.Fatal(err)
			}
			r := b.newRun(term, verdict.LayerDeploy, noon)
			r.processor = c.processor
			e, err := r.bounded(t.Context(), rules)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if len(e.Faults) > 0 {
				got = e.Faults[0].Code
			}
			if got != c.code || c.code == "" && len(e.Results) != 1 {
				t.Errorf("fault %q, want %q: %+v", got, c.code, e)
			}
		})
	}
}

// A rule that doubles a text thirty times takes few steps and more memory than there is: the
// process would be killed, and with it every decision that it takes. What is written counts.
func TestATextThatGrowsIsPaidFor(t *testing.T) {
	for name, step := range map[string]string{
		"joined": `concat("", [X, X])`, "formatted": `sprintf("%s%s", [X, X])`, "in a template": "$\"{X}{X}\"", "replaced": `replace(X, "0", X)`,
		"quoted": `json.marshal([X, X])`, "coded": `hex.encode(X)`, "as a list": `array.concat(X, X)`,
	} {
		t.Run(name, func(t *testing.T) {
			body := `x0 := "0123456789abcdef"; `
			for i := range 40 {
				body += fmt.Sprintf("x%d := %s; ", i+1, strings.ReplaceAll(step, "X", fmt.Sprintf("x%d", i)))
			}
			if name == "as a list" {
				body = strings.Replace(body, `"0123456789abcdef"`, `[1, 2, 3]`, 1)
			}
			e := ask(t, `check := {"status": "pass", "message": "x"} if { `+body+`x40 != "" }`, Limits{Time: time.Minute})
			if len(e.Faults) != 1 || e.Faults[0].Code != FaultSteps {
				t.Errorf("it was not ended by its steps: %+v", e)
			}
		})
	}
}
