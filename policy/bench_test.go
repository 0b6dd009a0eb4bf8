package policy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"verdict"
)

// plainRules are rules as a point's policy mostly has them: a state, a value compared.
// With the built-in ones, which walk lists, 25 rules make one decision.
var plainRules = []struct{ reads, bad, message string }{
	{"input.artifact.signature", `group.by != "builder"`, "the artifact is signed by the builder"},
	{"input.artifact.provenance", `group.slsa < 2`, "the build is at SLSA level 2"},
	{"input.artifact.sbom", `group.inventory != "complete"`, "the SBOM is complete"},
	{"input.review", `group.author in group.objecting`, "the author is not the reviewer"},
	{"input.service", `group.owner == ""`, "the service has an owner"},
	{"input.plan", `group.delete > 0`, "the plan deletes nothing"},
	{"input.checks.iac", `count(group.failed) > 0`, "no infrastructure rule is broken"},
}

const plainRule = `# METADATA
# title: %[3]s
# custom:
#   id: bench.plain%[1]d
#   effect: deny
#   severity: high
#   evidence: [provenance]
#   remediation: Do what the message says.
#   owner: platform
package bench.plain%[1]d

import %[2]s as group

check := {
	"status": "fail",
	"message": "not so: %[3]s",
	"observed": {"state": group.state},
	"expected": {"state": "verified"},
	"items": [{"key": "%[2]s", "message": sprintf("state %%s", [group.state])}],
} if {
	%[4]s
} else := {
	"status": "pass",
	"message": "%[3]s",
	"observed": {"state": group.state},
	"expected": {"state": "verified"},
} if {
	not %[4]s
	group.state == "verified"
} else := {
	"status": "skip",
	"message": sprintf("not judged: %%s", [group.state]),
} if {
	not %[4]s
	group.state != "verified"
}
`

// mixedBundle holds the built-in rules and 21 plain ones.
func mixedBundle(tb testing.TB) (*Bundle, []string) {
	files := map[string]string{}
	for n := range 21 {
		r := plainRules[n%len(plainRules)]
		files[fmt.Sprintf("plain%d.rego", n)] = fmt.Sprintf(plainRule, n, r.reads, r.message, r.bad)
	}
	return bundleOf25(tb, files)
}

// listBundle holds the built-in rules and 21 variants of them: every rule walks a list.
func listBundle(tb testing.TB) (*Bundle, []string) {
	own, err := embeddedFiles()
	if err != nil {
		tb.Fatal(err)
	}
	sources := []string{"ci_secrets", "ci_vulnerabilities_fixable", "ci_vulnerabilities_exploited", "ci_vulnerabilities_malicious"}
	files := map[string]string{}
	for n := range 21 {
		name := sources[n%len(sources)]
		text := own[BuiltinPrefix+name+".rego"]
		text = strings.Replace(text, "id: ci.", fmt.Sprintf("id: bench.v%d.", n), 1)
		text = strings.Replace(text, "package verdict.rules.ci.", fmt.Sprintf("package bench.v%d.ci.", n), 1)
		files[fmt.Sprintf("v%d_%s.rego", n, name)] = text
	}
	return bundleOf25(tb, files)
}

// benched are the built-in rules that are measured beside 21 others, whatever came since.
var benched = []string{"ci.secrets.none", "ci.vulnerabilities.exploited", "ci.vulnerabilities.fixable", "ci.vulnerabilities.malicious"}

func bundleOf25(tb testing.TB, files map[string]string) (*Bundle, []string) {
	tb.Helper()
	b, err := Compile(files, CompileOptions{})
	if err != nil {
		tb.Fatal(err)
	}
	var ids []string
	for _, r := range b.Rules() {
		if strings.HasPrefix(r.ID, "bench.") || slices.Contains(benched, r.ID) {
			ids = append(ids, r.ID)
		}
	}
	if len(ids) != 25 {
		tb.Fatalf("%d rules, want 25", len(ids))
	}
	return b, ids
}

// benchInput has some vulnerabilities without a fix, which allows; with deny as many
// secrets and vulnerabilities, and every other fact, are such that each rule fails.
func benchInput(deny bool, size int) *Input {
	in := Example(verdict.LayerCI)
	for n := range size {
		f := Finding{
			Key: fmt.Sprintf("V-%d@component-%d@1.0.%d", n, n, n), ID: fmt.Sprintf("V-%d", n), Ecosystem: "Go",
			Name: fmt.Sprintf("example.com/component-%d", n), Version: "1.0.0", PURL: fmt.Sprintf("pkg:golang/example.com/component-%d@1.0.0", n),
			Severity: verdict.SeverityHigh, SourcePath: "go.sum", Line: int64(n + 1), Aliases: []string{fmt.Sprintf("CVE-2025-%04d", n)},
		}
		if deny {
			f.Fixed, f.Exploited, f.Malicious = "1.0.9", true, true
		}
		in.Vulnerabilities.Findings = append(in.Vulnerabilities.Findings, f)
	}
	if deny {
		for _, name := range []string{"secrets", "iac"} {
			c := in.Checks[name]
			for n := range size {
				c.Failed = append(c.Failed, Hit{Key: fmt.Sprintf("aws:file-%d:1", n), Detector: "aws", Message: "AWS access key", Severity: verdict.SeverityCritical, Path: fmt.Sprintf("file-%d", n), Line: 1})
			}
			in.Checks[name] = c
		}
		in.Artifact.Signature.By, in.Artifact.Provenance.SLSA, in.Artifact.SBOM.Inventory = "somebody", 0, "incomplete"
		in.Review.Objecting, in.Service.Owner, in.Plan.Delete = []string{in.Review.Author}, "", 1
	}
	in.Normalize()
	return in
}

func benchmarkEvaluate(b *testing.B, bundle *Bundle, ids []string, in *Input, want verdict.RuleStatus) {
	term, err := in.value(inputBytes)
	if err != nil {
		b.Fatal(err)
	}
	rules, err := bundle.active(Query{Rules: ids})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	defer reportCPU(b)()
	for b.Loop() {
		r := bundle.newRun(term, in.Decision.Layer, noon)
		e := r.all(context.Background(), rules)
		if len(e.Results) != len(ids) {
			b.Fatalf("%+v", e)
		}
		for _, x := range e.Results {
			if x.Status != want {
				b.Fatalf("%s: %s, want %s", x.Rule.ID, x.Status, want)
			}
		}
	}
}

// BenchmarkDecision25Rules evaluates 25 rules on an input that the engine has parsed.
func BenchmarkDecision25Rules(b *testing.B) {
	bundle, ids := mixedBundle(b)
	b.Run("allow", func(b *testing.B) { benchmarkEvaluate(b, bundle, ids, benchInput(false, 3), verdict.RulePass) })
	b.Run("deny", func(b *testing.B) { benchmarkEvaluate(b, bundle, ids, benchInput(true, 3), verdict.RuleFail) })
}

// BenchmarkDecision25ListRules is the hard case: every rule walks every finding.
func BenchmarkDecision25ListRules(b *testing.B) {
	bundle, ids := listBundle(b)
	for _, size := range []int{3, 60} {
		b.Run(fmt.Sprintf("allow-%d-findings", size), func(b *testing.B) {
			benchmarkEvaluate(b, bundle, ids, benchInput(false, size), verdict.RulePass)
		})
		b.Run(fmt.Sprintf("deny-%d-findings", size), func(b *testing.B) {
			benchmarkEvaluate(b, bundle, ids, benchInput(true, size), verdict.RuleFail)
		})
	}
}

// BenchmarkReplay reads a recorded input strictly, evaluates 25 rules and digests the
// result, as replay does for each decision.
func BenchmarkReplay(b *testing.B) {
	bundle, ids := mixedBundle(b)
	for _, deny := range []bool{false, true} {
		b.Run(map[bool]string{false: "allow", true: "deny"}[deny], func(b *testing.B) {
			recorded, err := benchInput(deny, 3).Canonical()
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			defer reportCPU(b)()
			for b.Loop() {
				in, err := ParseInput(recorded)
				if err != nil {
					b.Fatal(err)
				}
				e, err := bundle.Evaluate(context.Background(), Query{Rules: ids, Input: in, At: noon})
				if err != nil || len(e.Results) != len(ids) {
					b.Fatalf("%v %+v", err, e)
				}
				if digestOfEvaluation(e) == "" || sha256Digest(recorded) == "" {
					b.Fatal("no digest")
				}
			}
			b.ReportMetric(float64(len(recorded)), "input-bytes")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "replays/s")
		})
	}
}

func BenchmarkCompileBuiltin(b *testing.B) {
	for b.Loop() {
		if _, err := Compile(nil, CompileOptions{}); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNormalize(b *testing.B) {
	in := benchInput(true, 60)
	b.ReportAllocs()
	for b.Loop() {
		in.Normalize()
		if in.Schema != InputSchema {
			b.Fatal("not normalised")
		}
	}
}

func BenchmarkCanonicalInput(b *testing.B) {
	in := benchInput(true, 60)
	b.ReportAllocs()
	for b.Loop() {
		if out, err := in.Canonical(); err != nil || len(out) < 20_000 {
			b.Fatalf("%v, %d bytes", err, len(out))
		}
	}
}

// reportCPU adds the processor time per operation, garbage collection included: on a
// machine that others use too, elapsed time says little.
func reportCPU(b *testing.B) func() {
	started := cpuTime(b)
	return func() { b.ReportMetric(float64(cpuTime(b)-started)/float64(b.N)/1e6, "cpu-ms/op") }
}

func cpuTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// The figures of make bench rest on 25 rules: where they cannot be put together, nobody
// would see how a decision's cost changes.
func TestTheRulesThatAreMeasuredAreThere(t *testing.T) {
	mixedBundle(t)
	listBundle(t)
}
