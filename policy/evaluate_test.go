package policy

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/open-policy-agent/opa/v1/ast"

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

// ask compiles one deploy rule and evaluates it.
func ask(t *testing.T, body string, l Limits) *Evaluation {
	t.Helper()
	b, err := Compile(map[string]string{"a.rego": ruleFile("acme.deploy.x", body)}, CompileOptions{Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	e, err := b.Evaluate(t.Context(), Query{Rules: []string{"acme.deploy.x"}, Input: Example(verdict.LayerDeploy), At: noon})
	if err != nil {
		t.Fatal(err)
	}
	if len(e.Results)+len(e.Silent)+len(e.Faults) != 1 {
		t.Fatalf("a rule is not in exactly one place: %+v", e)
	}
	return e
}

// TestARuleThatGoesWrongIsNeverAPass: each way in which a rule can fail to report leaves
// it silent or at fault, with a remedy.
func TestARuleThatGoesWrongIsNeverAPass(t *testing.T) {
	result := func(members string) string { return `check := {` + members + `} if input.service.name != ""` }
	fine := `"status": "fail", "message": "x", `
	for name, c := range map[string]struct{ body, code, what string }{
		"no branch holds":                      {`check := {"status": "pass", "message": "x"} if input.service.name == "nobody"`, "", ""},
		"undefined in the message":             {`check := {"status": "fail", "message": sprintf("%s", [input.change.files[99]])}`, "", ""},
		"undefined in an item":                 {`check := {"status": "fail", "message": "x", "items": [{"key": input.change.files[99]}]}`, "", ""},
		"two values at once":                   {`check := {"status": "pass", "message": "x"} if input.service.name` + "\n" + `check := {"status": "fail", "message": "x"} if input.service.team`, FaultConflict, "acme.deploy.x at a.rego:10"},
		"a builtin that refuses":               {`check := {"status": "pass", "message": "x"} if time.parse_rfc3339_ns(input.service.name) > 0`, FaultBuiltin, "time.parse_rfc3339_ns"},
		"a builtin that refuses, under not":    {`check := {"status": "pass", "message": "x"} if not to_number(input.service.name)`, FaultBuiltin, "to_number"},
		"a result that is no object":           {`check := "pass"`, FaultResult, "not an object"},
		"a result that is true":                {`check := true`, FaultResult, "not an object"},
		"no status":                            {result(`"message": "x"`), FaultResult, `status is ""`},
		"a status that is none":                {result(`"status": "passed", "message": "x"`), FaultResult, `"passed"`},
		"a status that is no text":             {result(`"status": true, "message": "x"`), FaultResult, "status: is boolean"},
		"no message":                           {result(`"status": "pass"`), FaultResult, "message is missing"},
		"a message that is no text":            {result(`"status": "pass", "message": 7`), FaultResult, "message: is number"},
		"a member that a result has not":       {result(fine + `"sttaus": "pass"`), FaultResult, `no member "sttaus"`},
		"a name that is no text":               {`check := {"status": "fail", "message": "x", 1: 2} if input.service.name`, FaultResult, "not text"},
		"another rule's name":                  {result(fine + `"rule": "ci.secrets.none"`), FaultResult, "ci.secrets.none"},
		"a fraction observed":                  {result(fine + `"observed": {"share": 0.5}`), FaultResult, "0.5"},
		"a number beyond JSON's integers":      {result(fine + `"observed": 12345678901234567890`), FaultResult, "no plain integer"},
		"an exponent":                          {result(fine + `"observed": 1e3`), FaultResult, "1e3"},
		"observed with a name that is no text": {result(fine + `"observed": {1: 2}`), FaultResult, "not text"},
		"observed beyond its size":             {result(fine + `"observed": [x | some i in numbers.range(1, 20000); x := "0123456789012345678901234567890123456789012345678901234567890123456789"]`), FaultResult, "larger than"},
		"items that are no list":               {result(fine + `"items": "x"`), FaultResult, "items is string"},
		"an item that is no object":            {result(fine + `"items": ["x"]`), FaultResult, "item 1: is string"},
		"an item without a key":                {result(fine + `"items": [{"message": "x"}]`), FaultResult, "key is missing"},
		"an item with an empty key":            {result(fine + `"items": [{"key": ""}]`), FaultResult, "key is missing"},
		"an item with a key too long":          {result(fine + `"items": [{"key": concat("", ["k" | some i in numbers.range(1, 2000)])}]`), FaultResult, "longer than"},
		"an item that claims to be folded":     {result(fine + `"items": [{"key": "folded:1"}]`), FaultResult, "folded:"},
		"an item with a member it has not":     {result(fine + `"items": [{"key": "x", "accepted": "X-1"}]`), FaultResult, `no member "accepted"`},
		"an item with a line that is text":     {result(fine + `"items": [{"key": "x", "line": "7"}]`), FaultResult, "line: is"},
		"an item with half a line":             {result(fine + `"items": [{"key": "x", "line": 1.5}]`), FaultResult, "line: is 1.5"},
		"an item with a negative line":         {result(fine + `"items": [{"key": "x", "line": -1}]`), FaultResult, "not a line"},
		"a pass with items":                    {result(`"status": "pass", "message": "x", "items": [{"key": "x"}]`), FaultResult, "status is pass, and yet there are 1 items"},
		"a skip with items":                    {result(`"status": "skip", "message": "x", "items": [{"key": "x"}]`), FaultResult, "status is skip"},
	} {
		t.Run(name, func(t *testing.T) {
			e := ask(t, c.body, Limits{})
			if c.code == "" {
				if len(e.Silent) != 1 {
					t.Fatalf("it is not silent: %+v", e)
				}
				return
			}
			if len(e.Faults) != 1 {
				t.Fatalf("no fault: %+v", e)
			}
			f := e.Faults[0]
			if f.Code != c.code || !strings.Contains(f.What, c.what) || !strings.Contains(f.What, "rule acme.deploy.x at a.rego:1") || f.Remedy == "" {
				t.Errorf("fault %+v, want %s with %q", f, c.code, c.what)
			}
		})
	}
}

// TestBombsEndAtTheirLimits: a rule that would run or grow without end is stopped, and
// the rules after it are told as faults, not lost.
func TestBombsEndAtTheirLimits(t *testing.T) {
	list := `numbers.range(1, 100000)`
	for name, body := range map[string]string{
		"every pair of a long list":    `count([1 | some a in ` + list + `; some b in ` + list + `; a == -b]) > 0`,
		"a list of a billion":          `count(numbers.range(1, 1000000000)) > 0`,
		"a comprehension that is huge": `count({x: y | some a in ` + list + `; some b in ` + list + `; x := a * b; y := [a, b]}) > 0`,
		"the input walked four times":  `count([1 | walk(input, [_, a]); walk(input, [_, b]); walk(input, [_, c]); walk(input, [_, d]); a == b; c == d]) < 0`,
		"text that doubles":            `{ a := concat("", ["a" | some i in ` + list + `]); b := replace(a, "a", a); count(replace(b, "a", b)) > 0 }`,
		"a regular expression bomb":    `{ a := concat("", ["a" | some i in numbers.range(1, 20000)]); count([1 | some i in ` + list + `; regex.match("^(a+)+$", concat("", [a, "!"]))]) > 0 }`,
		"all addresses of a network":   `count(net.cidr_expand("10.0.0.0/8")) > 0`,
		"numbers that square":          `count([x | some i in ` + list + `; x := product(numbers.range(1, 3000))]) > 0`,
		"a builtin that does not stop": `{ a := concat("", [sprintf("%c", [i]) | some i in numbers.range(20000, 24000)]); b := concat("", [a | some i in numbers.range(1, 60)]); trim(b, a) == "x" }`,
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{
				"a.rego": ruleFile("acme.deploy.a", `check := {"status": "pass", "message": "x"} if `+body),
				"b.rego": ruleFile("acme.deploy.b", `check := {"status": "pass", "message": "fine"} if input.service.name != ""`),
			}
			limits := Limits{Steps: 200_000, Time: 60 * time.Millisecond}
			b, err := Compile(files, CompileOptions{Limits: limits})
			if err != nil {
				t.Fatal(err)
			}
			started := time.Now()
			e, err := b.Evaluate(t.Context(), Query{Rules: []string{"acme.deploy.a", "acme.deploy.b"}, Input: Example(verdict.LayerDeploy), At: noon})
			took := time.Since(started)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("answered after %s: %+v", took.Round(time.Millisecond), e.Faults)
			if len(e.Results) != 0 || len(e.Faults) != 2 || e.Faults[0].Code != FaultDeadline && e.Faults[0].Code != FaultSteps || e.Faults[0].Code != e.Faults[1].Code {
				t.Fatalf("it was not stopped: %+v", e)
			}
			if took > 5*time.Second {
				t.Errorf("answered after %s only", took)
			}
		})
	}
	for range cap(slots) { // every core is free again
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-time.After(30 * time.Second):
			t.Fatal("an evaluation still holds its core")
		}
	}
}

func TestItemsBeyondTheLimitAreFoldedAndCounted(t *testing.T) {
	body := `check := {"status": "fail", "message": "x", "items": [{"key": sprintf("k%d", [i]), "message": "m"} | some i in numbers.range(1, %d)]} if input.service.name`
	first := ask(t, strings.Replace(body, "1, %d", "1, 100000", 1), Limits{}).Results[0]
	if len(first.Items) != 5001 {
		t.Fatalf("%d items, want 5,000 and one", len(first.Items))
	}
	last := first.Items[5000]
	if !strings.HasPrefix(last.Key, FoldedPrefix) || !strings.Contains(last.Message, "95000 further items") {
		t.Errorf("the last item is %+v", last)
	}
	second := ask(t, strings.Replace(body, "1, %d", "1, 99999", 1), Limits{}).Results[0]
	if second.Items[5000].Key == last.Key {
		t.Error("one finding fewer, and the folded item is the same")
	}
	exact := ask(t, strings.Replace(body, "1, %d", "1, 5000", 1), Limits{}).Results[0]
	if len(exact.Items) != 5000 || strings.HasPrefix(exact.Items[4999].Key, FoldedPrefix) {
		t.Errorf("5,000 items are %d", len(exact.Items))
	}
}

func TestAResultIsReadAsTheRuleSaysIt(t *testing.T) {
	got := ask(t, `check := {
	"rule": "acme.deploy.x", "status": "fail", "message": "m", "observed": {"b": [2, {"z", "a"}], "a": "ä\n\u0001", "ö": null, "c": true},
	"expected": "text as it is",
	"items": {{"key": "b", "line": 7, "path": "p", "fix": "f", "evidence": "sha256:1", "message": "w"}, {"key": "a"}},
} if input.service.name`, Limits{}).Results[0]
	want := Result{Rule: got.Rule, Status: verdict.RuleFail, Message: "m",
		Observed: `{"a":"ä\n\u0001","b":[2,["a","z"]],"c":true,"ö":null}`, Expected: "text as it is",
		Items: []verdict.Item{{Key: "a"}, {Key: "b", Line: 7, Path: "p", Fix: "f", Evidence: "sha256:1", Message: "w"}}}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
	long := ask(t, `check := {"status": "skip", "message": concat("", ["ä" | some i in numbers.range(1, 9000)])} if input.service.name`, Limits{}).Results[0]
	if len(long.Message) > maxText || !strings.Contains(long.Message, "18000 bytes, sha256") {
		t.Errorf("a long message is %d bytes and ends with %q", len(long.Message), long.Message[len(long.Message)-60:])
	}
}

func TestTheSameFindingTwiceIsOneItem(t *testing.T) {
	got := ask(t, `check := {"status": "fail", "message": "m", "items": [{"key": "a"}, {"key": "a"}, {"key": "a", "path": "p"}]} if input.service.name`, Limits{}).Results[0]
	if len(got.Items) != 2 {
		t.Errorf("items %+v", got.Items)
	}
}

func TestTheClockIsTheDecisionsTime(t *testing.T) {
	got := ask(t, `check := {"status": "pass", "message": sprintf("%d", [time.now_ns()])} if input.service.name`, Limits{}).Results[0]
	if got.Message != fmt.Sprint(noon.UnixNano()) {
		t.Errorf("the rule sees %s, the decision's time is %d", got.Message, noon.UnixNano())
	}
}

func TestThereIsNoDataBesideTheRules(t *testing.T) {
	_, err := one("acme.deploy.x", `check := {"status": "pass", "message": "x"} if { some k; data.acme.lists[k] }`)
	wantError(t, err, "nothing is defined at data.acme.lists", "correct the name")
	_, err = one("acme.deploy.x", `check := {"status": "pass", "message": sprintf("%v", [object.keys(data.acme)])} if input.service.name`)
	wantError(t, err, "recursive", "correct the Rego")
}

func TestConftestResultsAreReadStrictly(t *testing.T) {
	for name, c := range map[string]struct{ body, want string }{
		"a message":                   {`deny contains "no owner"`, "fail: no owner [no owner]"},
		"an object with msg":          {`deny contains {"msg": "no owner", "details": 1.5}`, "fail: no owner [no owner]"},
		"an object with a key":        {`deny contains {"msg": "no owner", "key": "o-1"}`, "fail: no owner [o-1]"},
		"several messages":            {`deny contains x if some x in ["b", "a"]`, "fail: 2 findings; the first: a [a b]"},
		"none":                        {`deny contains "x" if input.service.name == ""`, "pass: reported nothing []"},
		"a number":                    {`deny contains 7`, FaultResult},
		"an object without a message": {`deny contains {"message": "x"}`, FaultResult},
		"empty text":                  {`deny contains ""`, FaultResult},
		"a builtin that refuses":      {`deny contains "x" if to_number(input.service.name) > 1`, FaultBuiltin},
	} {
		t.Run(name, func(t *testing.T) {
			b, err := Compile(map[string]string{"a.rego": "package main\n" + c.body}, CompileOptions{Alone: true})
			if err != nil {
				t.Fatal(err)
			}
			e, err := b.Evaluate(t.Context(), Query{Rules: []string{"main.deny"}, Input: Example(verdict.LayerDeploy), At: noon})
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			for _, r := range e.Results {
				got = fmt.Sprintf("%s: %s %v", r.Status, r.Message, r.keys())
			}
			for _, f := range e.Faults {
				got = f.Code
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestAQueryThatCannotBeAskedIsAnError(t *testing.T) {
	b := mustBuiltin(t)
	_, err := b.Evaluate(t.Context(), Query{Rules: []string{"ci.secret.none"}, Input: Example(verdict.LayerCI), At: noon})
	wantError(t, err, `no rule "ci.secret.none"`, `nearest is "ci.secrets.none"`)
	_, err = b.Evaluate(t.Context(), Query{Rules: []string{"ci.secrets.none"}, At: noon})
	wantError(t, err, "no input document", "policy.Example")
	if e, err := b.Evaluate(t.Context(), Query{Input: Example(verdict.LayerCI), At: noon}); err != nil || e.Results == nil || e.Silent == nil || e.Faults == nil {
		t.Errorf("no rules: %+v, %v; want empty lists that are not null", e, err)
	}
}

func TestACallerThatStopsGetsNoAnswerThatLooksLikeOne(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	stop()
	for range 20 {
		e, err := mustBuiltin(t).Evaluate(ctx, Query{Rules: []string{"ci.secrets.none"}, Input: Example(verdict.LayerCI), At: noon})
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				t.Fatal(err)
			}
			continue
		}
		if len(e.Faults)+len(e.Results) != 1 {
			t.Fatalf("%+v", e)
		}
	}
}

func TestNoMoreEvaluationsRunThanThereAreCores(t *testing.T) {
	if cap(slots) != runtime.GOMAXPROCS(0) {
		t.Fatalf("%d slots on %d cores", cap(slots), runtime.GOMAXPROCS(0))
	}
	for range cap(slots) {
		slots <- struct{}{}
	}
	ctx, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	_, err := mustBuiltin(t).Evaluate(ctx, Query{Rules: []string{"ci.secrets.none"}, Input: Example(verdict.LayerCI), At: noon})
	for range cap(slots) {
		<-slots
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v, want to have waited for a core", err)
	}
}

// TestOneBundleServesManyAtOnce runs under the race detector in CI.
func TestOneBundleServesManyAtOnce(t *testing.T) {
	b := mustBuiltin(t)
	ids := []string{"ci.secrets.none", "ci.vulnerabilities.exploited", "ci.vulnerabilities.fixable", "ci.vulnerabilities.malicious"}
	digests := map[bool]*sync.Map{true: {}, false: {}}
	var all sync.WaitGroup
	for n := range 8 {
		all.Go(func() {
			for range 20 {
				e, err := b.Evaluate(context.Background(), Query{Rules: ids, Input: benchInput(n%2 == 0, 5), At: noon})
				if err != nil || len(e.Results) != len(ids) {
					t.Errorf("%v %+v", err, e)
					return
				}
				digests[n%2 == 0].Store(digestOfEvaluation(e), true)
			}
		})
	}
	all.Wait()
	for deny, m := range digests {
		n := 0
		m.Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("deny %t: %d different results of one input", deny, n)
		}
	}
}

func TestATraceShowsTheStepsOfEachRule(t *testing.T) {
	var out bytes.Buffer
	q := Query{Rules: []string{"ci.secrets.none", "ci.vulnerabilities.fixable"}, Input: Example(verdict.LayerCI), At: noon}
	plain, err := mustBuiltin(t).Evaluate(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	q.Trace = &out
	traced, err := mustBuiltin(t).Evaluate(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(plain, traced) {
		t.Error("tracing changes the result")
	}
	for _, want := range []string{"ci.secrets.none (verdict/ci_secrets.rego:", "ci.vulnerabilities.fixable (", "Enter data.verdict.rules.ci.secrets.check"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the trace lacks %q:\n%.600s", want, out.String())
		}
	}
}

// TestRenderedIsCanonicalJSON compares with the reference on values that differ in form.
func TestRenderedIsCanonicalJSON(t *testing.T) {
	for _, text := range []string{`{}`, `[]`, `{"b":1,"a":[{"y":null,"x":[]}]}`, `{"\ufb33":1,"😀":2,"a":3}`, `"\u0000\b\t\n\u000b\f\r\"\\/ <>&\u2028é😀"`, `-0`, `[0,-7,123456789012345]`} {
		v, err := ast.ValueFromReader(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		got, err := appendJSON(nil, v)
		if err != nil {
			if text == `-0` {
				continue // two forms of zero are one too many
			}
			t.Fatal(err)
		}
		want := reference(t, text)
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func reference(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte("["+text+"]"), &v); err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out, err := canonicalReference(b)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(strings.TrimPrefix(string(out), "["), "]")
}

func TestResultsComeInTheOrderOfTheQuery(t *testing.T) {
	ids := []string{"ci.vulnerabilities.malicious", "ci.secrets.none", "ci.vulnerabilities.fixable"}
	e, err := mustBuiltin(t).Evaluate(t.Context(), Query{Rules: ids, Input: Example(verdict.LayerCI), At: noon})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, r := range e.Results {
		got = append(got, r.Rule.ID)
	}
	if !slices.Equal(got, ids) {
		t.Errorf("got %v, want %v", got, ids)
	}
}
