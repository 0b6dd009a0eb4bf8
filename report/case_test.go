package report

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"verdict"
)

var update = flag.Bool("update", false, "write the expected output of tests instead of comparing it")

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

func digest(c string) verdict.Digest { return verdict.NewDigest("sha256", strings.Repeat(c, 64)) }

func change() verdict.Subject {
	return verdict.Subject{Kind: verdict.SubjectChange, Name: "payments-api", Digest: verdict.NewDigest("gitCommit", strings.Repeat("3f2a", 10))}
}

func decision(point, question string, mode verdict.Mode, outcome verdict.Outcome) verdict.Decision {
	return verdict.Decision{
		ID: "7c1d9e02a4b15566", Point: point, Layer: verdict.LayerCI, Question: question, Mode: mode,
		Subject: change(), Service: "payments-api", Team: "payments", At: noon.Add(-time.Minute), Trigger: "verdict ci", Actor: "person-1",
		Outcome: outcome, Enforced: mode.Enforce(outcome), Engine: "opa 1.22.2",
		Digests: verdict.Digests{Map: digest("a"), Policy: digest("b"), Point: digest("c"), Input: digest("d"), Facts: digest("e"), Result: digest("f")},
	}
}

const (
	askSecrets = "Does this commit contain a leaked secret?"
	askVulns   = "Does this build contain a dependency with a known, fixable vulnerability?"
)

func secretsReason() verdict.Reason {
	return verdict.Reason{
		Rule: "ci.secrets.none", Title: "No secret is in the tree", Status: verdict.RuleFail, Effect: verdict.EffectDeny, Severity: verdict.SeverityCritical,
		Message: "2 secrets are in the tree", Observed: "2", Expected: "0", Owner: "appsec", Standing: verdict.Counts,
		Remediation: "Revoke each secret where it was issued, take it out of the file, and read it from the environment or a vault. A secret that was committed is known.",
		Items: []verdict.Item{
			{Key: "s-1", Message: "AWS access key in plain text", Path: "config/prod.env", Line: 3},
			{Key: "s-2", Message: "RSA private key", Path: "deploy/keys/service/very/deep/folder/with/a/long/name/private-signing-key.pem", Line: 1},
		},
	}
}

func vulnsReason(n int) verdict.Reason {
	r := verdict.Reason{
		Rule: "ci.vulnerabilities.fixable", Title: "No dependency has a known vulnerability that has a fix", Status: verdict.RuleFail, Effect: verdict.EffectDeny, Severity: verdict.SeverityHigh,
		Message: fmt.Sprintf("%d dependencies have a fix for a known vulnerability", n), Observed: fmt.Sprint(n), Expected: "0", Owner: "appsec", Standing: verdict.Counts,
		Remediation: "Update each dependency to the version that is named, or above.", Link: "https://example.com/rules/fixable",
	}
	for i := range n {
		r.Items = append(r.Items, verdict.Item{Key: fmt.Sprintf("v-%d", i), Message: fmt.Sprintf("golang.org/x/net 0.%d.0 has GO-2026-%04d", i, i), Path: "go.mod", Line: int64(10 + i), Fix: fmt.Sprintf("update golang.org/x/net to 0.%d.0", i+3)})
	}
	return r
}

func secretsReport() verdict.Report {
	return verdict.Report{
		Check: "secrets", Tool: verdict.Tool{Name: "gitleaks", Version: "8.30.1", Rules: digest("1")}, Complete: true, Ignored: 3,
		Scope: verdict.Scope{Path: ".", Files: 874, Bytes: 12_400_000, Inputs: 874},
		Hits: []verdict.Hit{
			{Key: "s-1", Detector: "aws", Message: "AWS access key", Severity: verdict.SeverityCritical, Path: "config/prod.env", Line: 3},
			{Key: "s-2", Detector: "rsa", Message: "RSA private key", Severity: verdict.SeverityHigh, Path: "deploy/keys/service/very/deep/folder/with/a/long/name/private-signing-key.pem", Line: 1},
		},
		NotChecked: []verdict.NotChecked{{Path: "logo.png", Reason: "binary", Blocks: false}},
	}
}

func cleanSecrets() verdict.Report {
	r := secretsReport()
	r.Hits, r.Ignored = nil, 0
	return r
}

func vulnsReport(inputs int64, hits ...verdict.Item) verdict.Report {
	found := []verdict.Hit{}
	for _, i := range hits {
		found = append(found, verdict.Hit{Key: i.Key, Detector: "GO-2026", Message: i.Message, Severity: verdict.SeverityHigh, Path: i.Path, Line: i.Line, Fix: i.Fix,
			Vulnerability: &verdict.Vulnerability{ID: "GO-2026-0000", Component: verdict.Component{Ecosystem: "Go", Name: "golang.org/x/net", Version: "0.1.0", PURL: "pkg:golang/golang.org/x/net@0.1.0"}, EPSS: -1}})
	}
	return verdict.Report{
		Hits:  found,
		Check: "vulnerabilities", Tool: verdict.Tool{Name: "verdict", Version: "0.1.0"}, Complete: true,
		Database: &verdict.Database{Name: "OSV", Digest: digest("2"), At: noon.Add(-50 * time.Hour), Entries: 212_345, Ecosystems: []string{"Go", "npm"}},
		Scope:    verdict.Scope{Path: ".", Files: 874, Bytes: 12_400_000, Inputs: inputs, Components: inputs * 137},
	}
}

func run(decisions []verdict.Decision, reports ...verdict.Report) Run {
	return Run{Command: "verdict ci .", Version: "0.1.0", At: noon, Decisions: decisions, Reports: reports, NotBuilt: []string{"ci.dependencies", "ci.iac"}}
}

func with(d verdict.Decision, id string, change func(*verdict.Decision)) verdict.Decision {
	d.ID = id
	change(&d)
	return d
}

func fail(reasons ...verdict.Reason) func(*verdict.Decision) {
	return func(d *verdict.Decision) { d.Reasons = reasons }
}

var noDatabase = verdict.Fault{Code: "check.incomplete", What: "there is no advisory database here, so no vulnerability could be matched", Remedy: "verdict advisories update, or verdict advisories import FILE where there is no network", Rule: "ci.vulnerabilities.fixable"}

// cases are the runs that every format is shown with.
func cases() map[string]Run {
	passed := func(d *verdict.Decision) { d.Passed = []string{"ci.secrets.none"} }
	secrets := decision("ci.secrets", askSecrets, verdict.ModeBlock, verdict.Allow)
	vulns := decision("ci.vulnerabilities", askVulns, verdict.ModeBlock, verdict.Allow)
	denied := func(point, q string, m verdict.Mode) verdict.Decision { return decision(point, q, m, verdict.Deny) }
	review := decision("deploy.gate", "May this trusted artifact run in this environment now?", verdict.ModeBlock, verdict.Review)
	review.Layer, review.Environment = verdict.LayerDeploy, "prod-weu"
	review.Subject = verdict.Subject{Kind: verdict.SubjectArtifact, Name: "registry.example/payments-api", Digest: digest("9")}
	review.Reasons = []verdict.Reason{{Rule: "deploy.window", Title: "Production changes inside its hours", Status: verdict.RuleFail, Effect: verdict.EffectReview, Severity: verdict.SeverityMedium, Standing: verdict.Counts, Message: "it is Saturday", Observed: "Sat 12:00", Expected: "Mon-Thu 08:00-16:00", Remediation: "Wait until Monday 08:00, or ask for an approval: verdict approve.", Owner: "sre"}}
	lacking := vulnsReport(3)
	lacking.Complete, lacking.Database = false, nil
	lacking.NotChecked = []verdict.NotChecked{{Path: "services/b/pom.xml", Reason: "line 3 is not XML", Blocks: true}, {Path: "vendor/", Reason: "ignored by design", Blocks: false}}

	out := map[string]Run{
		"allowed": run([]verdict.Decision{with(secrets, "1111111111111111", passed), with(vulns, "2222222222222222", passed)}, cleanSecrets(), vulnsReport(3)),
		"nothing": run([]verdict.Decision{with(secrets, "1111111111111111", passed), with(vulns, "2222222222222222", passed)}, cleanSecrets(), vulnsReport(0)),
		"blocked": run([]verdict.Decision{
			with(denied("ci.secrets", askSecrets, verdict.ModeBlock), "1111111111111111", fail(secretsReason())),
			with(denied("ci.vulnerabilities", askVulns, verdict.ModeBlock), "2222222222222222", fail(vulnsReason(14))),
		}, secretsReport(), vulnsReport(3, vulnsReason(14).Items...)),
		"undecided": run([]verdict.Decision{
			with(secrets, "1111111111111111", passed),
			with(decision("ci.vulnerabilities", askVulns, verdict.ModeBlock, verdict.Undecided), "2222222222222222", func(d *verdict.Decision) { d.Errors = []verdict.Fault{noDatabase} }),
		}, cleanSecrets(), lacking),
		"warn": run([]verdict.Decision{
			with(denied("ci.secrets", askSecrets, verdict.ModeWarn), "1111111111111111", fail(secretsReason())),
			with(decision("ci.vulnerabilities", askVulns, verdict.ModeObserve, verdict.Undecided), "2222222222222222", func(d *verdict.Decision) { d.Errors = []verdict.Fault{noDatabase} }),
		}, secretsReport(), lacking),
		"mixed": run([]verdict.Decision{
			with(secrets, "1111111111111111", passed),
			with(denied("ci.vulnerabilities", askVulns, verdict.ModeBlock), "2222222222222222", func(d *verdict.Decision) {
				announced, accepted, partly := vulnsReason(1), vulnsReason(1), vulnsReason(2)
				partly.Items[0].Old, partly.Items[0].From = true, noon.AddDate(0, 2, 0)
				announced.Rule, announced.Standing, announced.EffectiveOn = "ci.vulnerabilities.epss", verdict.Announced, noon.AddDate(0, 1, 0)
				accepted.Rule, accepted.Standing, accepted.By = "ci.vulnerabilities.direct", verdict.Accepted, []string{"EX-12"}
				accepted.Items[0].Accepted = "EX-12"
				d.Reasons = []verdict.Reason{partly, announced, accepted}
				d.Errors = []verdict.Fault{{Code: "rule.silent", What: "the rule ci.vulnerabilities.malicious reported nothing", Remedy: "verdict policy test", Rule: "ci.vulnerabilities.malicious"}}
			}),
			with(review, "3333333333333333", func(*verdict.Decision) {}),
		}, cleanSecrets(), vulnsReport(3, vulnsReason(2).Items...)),
		"report-only": run([]verdict.Decision{with(denied("ci.secrets", askSecrets, verdict.ModeBlock), "1111111111111111", fail(secretsReason()))}, secretsReport()),
		"empty":       run(nil),
	}
	r := out["report-only"]
	r.ReportOnly, r.Notes = true, []string{"The tree has uncommitted changes: this answer is about the tree, not about a commit."}
	r.Decisions[0].Subject = verdict.Subject{Kind: verdict.SubjectTree, Name: "payments-api", Digest: digest("8")}
	out["report-only"] = r
	out["hostile"] = hostile(out["mixed"])
	return out
}

// hostileWords is what a file name, a package name or a commit may hold.
const hostileWords = "::error::pwn\n::set-output name=x::y\r##vso[task.complete result=Succeeded;]ok\n##[group]z\x1b[2J\x1b]0;t\x07\u009b31m" +
	"\u202egnp.exe\u2066 @octocat #12 GH-12 !3 [l](https://evil.example) ![i](http://e.example/x.png) <img src=x onerror=y> </code></table> `x` **b** | c | ]]> &amp; \x00\xff\ufeff\u2028 www.evil.example a@b.example https://evil.example"

// hostile puts those words in front of every text of a document. The answers and modes
// of a run keep theirs, or every run would read as undecided; outlandish does not spare
// them.
func hostile(r Run) Run {
	out := outlandish(r)
	for i := range out.Decisions {
		d, o := &out.Decisions[i], r.Decisions[i]
		d.Outcome, d.Enforced, d.Mode, d.BreakGlass = o.Outcome, o.Enforced, o.Mode, o.BreakGlass
		for j := range d.Reasons {
			d.Reasons[j].Standing, d.Reasons[j].Effect, d.Reasons[j].Severity = o.Reasons[j].Standing, o.Reasons[j].Effect, o.Reasons[j].Severity
		}
	}
	return out
}

// outlandish is what a document may be that somebody else wrote: no word of it is ours.
func outlandish[T any](r T) T { return foreign(r, func() string { return hostileWords }) }

// foreign puts words in front of every text of a document.
func foreign[T any](r T, words func() string) T {
	r = full(r)
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			v.SetString(words() + " " + v.String())
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Pointer:
			if !v.IsNil() {
				walk(v.Elem())
			}
		}
	}
	walk(reflect.ValueOf(&r).Elem())
	return r
}

// golden compares with testdata/NAME, or writes it with -update.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (go test ./report -update writes it)", err)
	}
	if got != string(want) {
		t.Errorf("%s differs from what is expected; go test ./report -update writes it, git diff shows it\n%s", path, firstDifference(got, string(want)))
	}
}

func firstDifference(got, want string) string {
	g, w := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range g {
		if i >= len(w) || g[i] != w[i] {
			return fmt.Sprintf("line %d\n got %q\nwant %q", i+1, g[i], append(w, "")[min(i, len(w))])
		}
	}
	return fmt.Sprintf("%d lines, want %d", len(g), len(w))
}
