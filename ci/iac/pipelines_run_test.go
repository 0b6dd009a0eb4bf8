package iac

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// The workflows of the modules that this project is built from are what maintainers write.
// A rule that finds much in them finds what nobody will mend.
func TestWorkflowsOfRealProjects(t *testing.T) {
	out, err := exec.Command("go", "env", "GOMODCACHE").Output()
	if err != nil {
		t.Skipf("the program go is not on PATH, so the module cache cannot be found: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(strings.TrimSpace(string(out)), "*", "*", "*", ".github", "workflows", "*.y*ml"))
	if err != nil || len(paths) < 50 {
		t.Skipf("the module cache holds %d workflows of other projects, and 50 are needed: go mod download all", len(paths))
	}
	found := map[string]int{}
	for _, p := range paths {
		content, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		r, err := testPipelines.Check(context.Background(), []File{{".github/workflows/" + filepath.Base(p), content}})
		if err != nil || slices.ContainsFunc(r.Open, func(n verdict.NotChecked) bool { return n.Blocks }) {
			t.Errorf("%s was not judged: %v %v", p, err, r.Open)
		}
		seen := map[string]bool{}
		for _, x := range r.Problems {
			if x.Check == Invalid {
				t.Errorf("%s runs every day, and is told to be invalid at line %d: %s", p, x.Line, x.Message)
			}
			if !seen[x.Check] && (x.Severity == verdict.SeverityHigh || x.Severity == verdict.SeverityCritical) {
				seen[x.Check] = true
				found[x.Check]++
			}
		}
	}
	for id, n := range found {
		if n*20 > len(paths) {
			t.Errorf("%s is high or critical in %d of %d real workflows", id, n, len(paths))
		}
	}
}

// Whoever reads a report of Verdict looks the check up by its id.
func TestEveryRuleIsWhole(t *testing.T) {
	s, err := testPipelines.rules()
	if err != nil {
		t.Fatal(err)
	}
	names, err := fs.Glob(builtinRules, "rules/*.rego")
	if err != nil || len(s.checks) != len(names)-1 { // lib.rego is none
		t.Errorf("%d rules of %d files answer: %v", len(s.checks), len(names), err)
	}
	for _, c := range s.checks {
		for _, f := range c.formats {
			if !slices.Contains([]string{formatGitHub, formatAzure, formatGitLab}, f) {
				t.Errorf("%s is never asked: no file has the format %s", c.id, f)
			}
		}
	}
}

const ownRule = `# METADATA
# title: Jobs have an owner
# custom: {id: ACME-001, severity: low, formats: github-actions, fix: name the owner}
package acme.owner

`

func TestRulesOfOnesOwn(t *testing.T) {
	files := []File{{workflowPath, []byte(steps("push", "    - run: x\n"))}}
	ask := func(rule string) (Result, error) {
		return PipelinesWith(map[string]string{"acme.rego": rule}).Check(context.Background(), files)
	}
	r, err := ask(ownRule + `found contains {"type": "job", "resource": j.address, "at": j.at, "cause": "", "message": "no owner"} if some j in input.jobs`)
	if err != nil || len(r.Problems) != 1 || r.Problems[0].Check != "ACME-001" || r.Problems[0].Line == 0 {
		t.Errorf("%+v, %v", r.Problems, err)
	}
	for name, rule := range map[string]string{
		"the network":     ownRule + `found contains http.send({"url": "http://127.0.0.1", "method": "GET"})`,
		"the environment": ownRule + `found contains opa.runtime()`,
		"the clock":       ownRule + `found contains {"message": sprintf("%d", [time.now_ns()])}`,
		"no METADATA":     "package acme.owner\n\nfound contains {\"message\": \"x\"}",
		"a taken id":      strings.Replace(ownRule, "ACME-001", "VP-GHA-001", 1) + `found contains {"message": "x"}`,
		"no Rego":         "package",
	} {
		var e *verdict.Error
		if _, err := ask(rule); !errors.As(err, &e) || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, rule := range map[string]string{
		"no message":       ownRule + `found contains {"type": "job"}`,
		"an error inside":  ownRule + `found contains {"message": "x"} if to_number("x") > 1`,
		"found is no set":  ownRule + `found := 1`,
		"work without end": ownRule + `found contains {"message": "x"} if { n := numbers(input.path); some a in n; some b in n; some c in n; some d in n; some e in n; a + b + c + d + e < 0 }` + "\n\nnumbers(_) := [" + strings.Repeat("1, ", 200) + "1]",
	} {
		start := time.Now()
		r, err := ask(rule)
		if err != nil || len(r.Open) != 1 || !r.Open[0].Blocks {
			t.Errorf("%s: a rule that did not answer counts as clean: %+v, %v", name, r, err)
		}
		if d := time.Since(start); d > 4*patience {
			t.Errorf("%s took %s", name, d)
		}
	}
}

func TestATreeWithoutPipelinesCompilesNothing(t *testing.T) {
	x := &Pipelines{rules: func() (*ruleSet, error) { return nil, errors.New("compiled") }}
	if _, err := x.Check(context.Background(), []File{{"k8s/a.yaml", []byte("a: b\n")}}); err != nil {
		t.Errorf("every run pays for the rules: %v", err)
	}
}

func TestACancelledRunIsNoCleanOne(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := testPipelines.Check(ctx, []File{{workflowPath, []byte(steps("push", "    - run: x\n"))}}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func FuzzPipelines(f *testing.F) {
	f.Add(workflowPath, steps("issues", "    - run: echo ${{ github['event'].issue.title || format('{0}', x[1]) }}\n"))
	f.Add("a/action.yml", "runs: {using: composite, steps: [{run: 'curl http://x | sh'}]}\n")
	f.Add("azure-pipelines.yml", "steps:\n- ${{ if x }}:\n  - script: echo $(Build.SourceVersionMessage)\n- template: azure-pipelines.yml\n")
	f.Add(".gitlab-ci.yml", "a: &a {script: [[x], y]}\nb: {<<: *a}\ninclude: [{remote: x}]\n")
	f.Fuzz(func(t *testing.T, path, text string) {
		r, err := testPipelines.Check(context.Background(), []File{{path, []byte(text)}})
		if err != nil {
			t.Fatal(err)
		}
		lines := int64(1)
		for _, c := range text {
			if strings.ContainsRune("\n\r\u0085\u2028\u2029", c) {
				lines++
			}
		}
		for _, p := range r.Problems {
			if p.Line < 0 || p.Line > lines+1 || p.Message == "" || p.Fix == "" || p.Path != path {
				t.Errorf("%+v", p)
			}
		}
	})
}

func BenchmarkPipelines(b *testing.B) {
	var files []File
	for i := range 100 {
		text := steps("[push, pull_request]", strings.Repeat("    - uses: actions/checkout@v4\n    - env: {T: '${{ secrets.T }}'}\n      run: |\n        make test\n        echo ${{ github.sha }}\n", 8))
		files = append(files, File{fmt.Sprintf(".github/workflows/w%d.yml", i), []byte(text)})
	}
	if _, err := testPipelines.rules(); err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := testPipelines.Check(context.Background(), files); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkPipelineRules(b *testing.B) {
	for b.Loop() {
		if _, err := compileRules(nil); err != nil {
			b.Fatal(err)
		}
	}
}
