package ci

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// resultSample is a report of the folder testdata/results, named FORMAT[-what].EXT.
func resultSample(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", "results", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func readAs(t testing.TB, format, check string, raw []byte) verdict.Report {
	t.Helper()
	r, err := ReadResult(ResultOptions{Format: format, Source: format, Check: check}, raw)
	if err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return r
}

// told reports whether something that was not checked is told with these words.
func toldOf(r verdict.Report, words string) (found, blocks bool) {
	for _, n := range r.NotChecked {
		if strings.Contains(n.Path+": "+n.Reason, words) {
			return true, n.Blocks
		}
	}
	return false, false
}

// What a tool found is lost, or looks less bad than it is, when its report is misread.
func TestReportsOfOtherToolsAreReadAsTheirToolsMeanThem(t *testing.T) {
	for _, c := range []struct {
		file, check, tool string
		complete          bool
		hits              []string // severity path:line key
	}{
		{"sarif.json", "sast", "CodeQL 2.19.0", true, []string{
			"critical src/pay.go:12 go/sql-injection:43e8:src/pay.go", "high src/pay.go:40 go/weak-hash/md5:src/pay.go",
			"medium src/a b.go:7 go/unused:src/a b.go", "unknown src/pay.go:50 go/maybe:src/pay.go",
		}},
		{"junit.xml", "tests", "junit ", true, []string{
			"unknown :0 error:payments:payments.RefundTest.crashes", "unknown tests/pay_test.py:14 failure:payments:payments.PayTest.rounds",
		}},
		{"gitleaks.json", "secrets", "gitleaks ", true, []string{
			"critical deploy.sh:3 aws-access-token:deploy.sh", "critical deploy.sh:9 aws-access-token:deploy.sh#2",
		}},
		{"trivy.json", "vulnerabilities", "trivy 0.66.0", false, []string{
			"high package-lock.json:0 CVE-2099-0001@pkg:npm/%40acme/left@1.0.0", "low package-lock.json:0 CVE-2099-0002@pkg:npm/right@2.0.0",
		}},
		{"trivy.json", "misc", "trivy 0.66.0", true, []string{
			"critical deploy.sh:3 aws-access-key-id:deploy.sh", "high main.tf:4 AVD-ACM-0001:main.tf:acme_bucket.logs",
			"high package-lock.json:0 CVE-2099-0001@pkg:npm/%40acme/left@1.0.0", "low package-lock.json:0 CVE-2099-0002@pkg:npm/right@2.0.0",
		}},
		{"grype.json", "vulnerabilities", "grype 0.99.0", true, []string{
			"critical app/package-lock.json:0 GHSA-aaaa-bbbb-cccc@pkg:npm/left@1.0.0", "medium app/package-lock.json:0 CVE-2099-0003@pkg:npm/right@2.0.0",
		}},
		{"snyk.json", "deps", "snyk ", true, []string{"high package-lock.json:0 SNYK-JS-LEFT-1@pkg:npm/left@1.0.0"}},
		{"checkov.json", "iac", "checkov 3.2.1", false, []string{
			"unknown main.tf:3 CKV_ACME_1:main.tf:acme_bucket.logs", "unknown net/main.tf:8 CKV_ACME_2:net/main.tf:acme_rule.all",
		}},
		{"kics.json", "iac", "KICS v2.1.0", true, []string{"high :5 0b1c:aa11", "medium main.tf:9 0b1c:bb22"}},
		{"semgrep.json", "sast", "semgrep 1.99.0", true, []string{
			"high src/pay.py:12 acme.sql:9824:src/pay.py", "medium src/pay.py:30 acme.md5:src/pay.py",
		}},
		{"govulncheck.json", "vulnerabilities", "govulncheck v1.1.4", true, []string{
			"unknown go.mod:0 GO-2099-0002@pkg:golang/acme.example/b@v0.2.0", "unknown main.go:9 GO-2099-0001@pkg:golang/acme.example/a@v1.0.0",
		}},
		{"zap.json", "dast", "ZAP 2.16.0", true, []string{"high :0 zap:40018:https://shop.example", "info :0 zap:10027:https://shop.example"}},
	} {
		t.Run(c.file+" as "+c.check, func(t *testing.T) {
			format, _, _ := strings.Cut(c.file, ".")
			r := readAs(t, format, c.check, resultSample(t, c.file))
			var got []string
			for _, h := range r.Hits {
				got = append(got, fmt.Sprintf("%s %s:%d %s", h.Severity, h.Path, h.Line, shortHash(h.Key)))
				if h.Message == "" || h.Detector == "" {
					t.Errorf("%s says nothing: %+v", h.Key, h)
				}
			}
			if !slices.Equal(got, c.hits) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(c.hits, "\n  "))
			}
			if r.Complete != c.complete || r.Check != c.check || r.Source != format || r.Tool.Name+" "+r.Tool.Version != c.tool {
				t.Errorf("complete %v, %s by %+v: %+v", r.Complete, r.Check, r.Tool, r.NotChecked)
			}
			for _, secret := range []string{"hunter2", "AKIA", "ada@", "Ada Example"} {
				if strings.Contains(fmt.Sprintf("%+v", r), secret) {
					t.Errorf("the report keeps %q", secret)
				}
			}
		})
	}
}

// shortHash shortens the digest in a key, so that a test can be read.
func shortHash(key string) string {
	parts := strings.Split(key, ":")
	for i, p := range parts {
		if len(p) == 16 && strings.Trim(p, "0123456789abcdef") == "" {
			parts[i] = p[:4]
		}
	}
	return strings.Join(parts, ":")
}

func TestVulnerabilitiesOfOtherToolsSayWhatAnExceptionAndAFixNeed(t *testing.T) {
	v := readAs(t, "grype", "vulnerabilities", resultSample(t, "grype.json")).Hits[0].Vulnerability
	if v.Component.PURL != "pkg:npm/left@1.0.0" || v.Component.Ecosystem != "npm" || v.Fixed != "1.0.1, 2.0.0" || !v.Exploited || v.EPSS != 120000 || !slices.Equal(v.Aliases, []string{"CVE-2099-0009"}) {
		t.Errorf("grype: %+v", v)
	}
	v = readAs(t, "govulncheck", "vulnerabilities", resultSample(t, "govulncheck.json")).Hits[1].Vulnerability
	if v.Fixed != "v1.0.1" || !slices.Equal(v.Aliases, []string{"CVE-2099-0001"}) || v.Component.Name != "acme.example/a" {
		t.Errorf("govulncheck: %+v", v)
	}
	v = readAs(t, "snyk", "deps", resultSample(t, "snyk.json")).Hits[0].Vulnerability
	if v.Fixed != "1.0.1" || v.Direct || !slices.Equal(v.Path, []string{"shop@1.0.0", "mid@1.0.0", "left@1.0.0"}) {
		t.Errorf("snyk: %+v", v)
	}
}

// A tool that says nothing of the age of its data leaves a clean answer open; whoever
// knows the age can say it.
func TestTheAgeOfTheDataIsSaidOrTheAnswerIsOpen(t *testing.T) {
	at := time.Date(2026, 5, 4, 0, 0, 0, 0, time.UTC)
	clean := []byte(`{"SchemaVersion": 2, "ArtifactName": ".", "Results": [{"Target": "go.mod"}]}`)
	r := readAs(t, "trivy", "vulnerabilities", clean)
	if ok, blocks := toldOf(r, "from when the vulnerability data is"); !ok || !blocks || r.Complete {
		t.Errorf("%+v", r)
	}
	r, err := ReadResult(ResultOptions{Format: "trivy", Source: "trivy", Check: "vulnerabilities", DataAt: at}, clean)
	if err != nil || !r.Complete || r.Database == nil || !r.Database.At.Equal(at) {
		t.Errorf("%+v, %v", r, err)
	}
}

// A tool that failed, or looked at nothing, must never look clean.
func TestAToolThatDidNotDoItsWorkIsIncomplete(t *testing.T) {
	for _, c := range []struct{ name, format, raw, why string }{
		{"SARIF without a run", "sarif", `{"version": "2.1.0", "runs": []}`, "holds no run"},
		{"SARIF of a run that failed", "sarif", sarif(`"invocations": [{"executionSuccessful": false, "exitCodeDescription": "out of memory"}], "results": []`), "out of memory"},
		{"SARIF of a run that does not say how it ended", "sarif", sarif(`"invocations": [{}], "results": []`), "did not run to a good end"},
		{"SARIF with an error of the tool", "sarif", sarif(`"invocations": [{"executionSuccessful": true, "toolExecutionNotifications": [{"level": "error", "message": {"text": "cannot parse a.go"}}]}], "results": []`), "cannot parse a.go"},
		{"SARIF without results", "sarif", sarif(`"columnKind": "utf16CodeUnits"`), "holds no list of results"},
		{"SARIF with null for results", "sarif", sarif(`"results": null`), "holds no list of results"},
		{"SARIF with its results elsewhere", "sarif", sarif(`"results": [], "externalPropertyFileReferences": {"results": [{"location": {"uri": "x.json"}}]}`), "in another file"},
		{"JUnit without tests", "junit", `<testsuites/>`, "holds no test"},
		{"JUnit with skipped tests alone", "junit", `<testsuite tests="1"><testcase name="a"><skipped/></testcase></testsuite>`, "all 1 tests were skipped"},
		{"JUnit that counts more failures than it holds", "junit", `<testsuite failures="2"><testcase name="a"><failure/></testcase></testsuite>`, "counts 2 failures"},
		{"trivy that found nothing to look at", "trivy", `{"SchemaVersion": 2, "ArtifactName": "."}`, "names nothing that it looked at"},
		{"grype without a source", "grype", `{"matches": [], "descriptor": {"name": "grype"}}`, "does not say what it looked at"},
		{"Snyk that failed", "snyk", `{"ok": false, "error": "Could not detect supported target files", "path": "/x"}`, "Could not detect"},
		{"Snyk that failed for one project of two", "snyk", `[{"ok": true, "vulnerabilities": [], "dependencyCount": 3}, {"ok": false, "error": "no lockfile"}]`, "no lockfile"},
		{"Snyk without dependencies", "snyk", `{"ok": true, "vulnerabilities": [], "dependencyCount": 0}`, "counts no dependency"},
		{"checkov that found nothing", "checkov", `{"passed": 0, "failed": 0, "skipped": 0, "parsing_errors": 0, "resource_count": 0, "checkov_version": "3.2.1"}`, "looked at nothing"},
		{"checkov that could not read a file", "checkov", `{"check_type": "terraform", "results": {"passed_checks": [{}], "failed_checks": [], "skipped_checks": [], "parsing_errors": ["/main.tf"]}, "summary": {"passed": 1}}`, "main.tf: checkov could not read it"},
		{"checkov that was told to be brief", "checkov", `{"check_type": "terraform", "results": {"failed_checks": []}, "summary": {"passed": 1, "failed": 2}}`, "counts 2 failed checks"},
		{"KICS without files", "kics", `{"kics_version": "v2", "files_scanned": 3, "files_parsed": 0, "queries": []}`, "no file that it could read"},
		{"KICS that could not scan", "kics", `{"kics_version": "v2", "files_parsed": 1, "files_failed_to_scan": 2, "queries_failed_to_execute": 1, "queries": []}`, "could not look at 2 files"},
		{"semgrep without files", "semgrep", `{"version": "1", "results": [], "errors": [], "paths": {"scanned": []}}`, "names no file"},
		{"semgrep with an error", "semgrep", `{"version": "1", "results": [], "errors": [{"level": "error", "message": "timeout", "path": "a.py"}], "paths": {"scanned": ["a.py"]}}`, "a.py: semgrep says: timeout"},
		{"ZAP without a site", "zap", `{"@programName": "ZAP", "@version": "2", "site": []}`, "reached no site"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := readAs(t, c.format, "x", []byte(c.raw))
			if ok, blocks := toldOf(r, c.why); !ok || !blocks || r.Complete {
				t.Errorf("complete %v: %+v", r.Complete, r.NotChecked)
			}
		})
	}
}

func sarif(run string) string {
	return `{"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "Acme"}}, ` + run + `}]}`
}

// What cannot be read is refused with what to do, and never read as empty.
func TestWhatIsNoReportIsRefused(t *testing.T) {
	deep := strings.Repeat("[", 300) + strings.Repeat("]", 300)
	for _, c := range []struct{ name, format, raw, says string }{
		{"nothing", "semgrep", " \n", "it is empty"},
		{"an error message", "semgrep", "Traceback (most recent call last):", "cannot be read"},
		{"cut short", "trivy", string(resultSample(t, "trivy.json")[:900]), "ends"},
		{"a name twice", "semgrep", `{"results": [{}], "results": [], "errors": [], "version": "1"}`, "stands twice"},
		{"a name twice, far inside", "grype", `{"matches": [{"vulnerability": {"id": "a", "id": "b"}}], "descriptor": {}}`, "stands twice"},
		{"a list that is a number", "sarif", sarif(`"results": 3`), "is not a list"},
		{"a finding that is a text", "trivy", `{"SchemaVersion": 2, "Results": ["x"]}`, "is not an object"},
		{"a severity that is a list", "kics", `{"kics_version": "v2", "files_parsed": 1, "queries": [{"severity": [], "files": [{}]}]}`, "is not a text"},
		{"another name for the same", "semgrep", `{"Results": [], "Errors": [], "Version": "1"}`, "does not have the form"},
		{"SARIF of another version", "sarif", `{"version": "2.0.0", "runs": []}`, "2.1.0"},
		{"SARIF without a tool", "sarif", `{"version": "2.1.0", "runs": [{"results": []}]}`, "a tool with a name"},
		{"a score that is none", "sarif", sarif(`"results": [{"ruleId": "a", "message": {"text": "x"}, "ruleIndex": "NaN"}]`), "not a number"},
		{"nested too deep", "gitleaks", deep, "nested deeper"},
		{"a million values", "gitleaks", "[" + strings.Repeat("0,", maxResultValues) + "0]", "more than 1000000 values"},
		{"two documents", "gitleaks", `[] []`, "after the end"},
		{"a NUL", "gitleaks", "[]\x00", "NUL"},
		{"an object instead of gitleaks' list", "gitleaks", `{}`, "does not have the form"},
		{"an empty list from anybody but gitleaks", "snyk", `[]`, "does not have the form"},
		{"XML for JSON", "semgrep", `<html></html>`, "XML"},
		{"a page for JUnit", "junit", `<html></html>`, "not with testsuites"},
		{"JUnit with a document type", "junit", `<!DOCTYPE testsuite [<!ENTITY a "b">]><testsuite/>`, "document type"},
		{"JUnit with a document type of elsewhere", "junit", `<!DOCTYPE testsuite SYSTEM "file:///etc/passwd"><testsuite/>`, "document type"},
		{"JUnit with an entity", "junit", `<testsuite name="&a;"/>`, "entity"},
		{"JUnit in Latin-1", "junit", `<?xml version="1.0" encoding="ISO-8859-1"?><testsuite/>`, "UTF-8"},
		{"JUnit cut short", "junit", `<testsuite><testcase name="a">`, "line 1"},
		{"JUnit nested too deep", "junit", strings.Repeat("<testsuite>", 70), "nested deeper"},
		{"an attribute twice", "junit", `<testsuite name="a" name="b"/>`, "twice"},
		{"a count that is none", "junit", `<testsuite failures="-1"/>`, "no number"},
		{"govulncheck without its first message", "govulncheck", `{"progress": {}}`, "which govulncheck"},
		{"govulncheck of another protocol", "govulncheck", `{"config": {"protocol_version": "v2.0", "scanner_name": "govulncheck"}}`, "not version 1"},
		{"a finding of govulncheck without trace", "govulncheck", `{"config": {"protocol_version": "v1.0.0", "scanner_name": "govulncheck"}} {"finding": {"osv": "x"}}`, "without trace"},
		{"a message of govulncheck that is cut", "govulncheck", `{"config": {"protocol_version": "v1.0.0", "scanner_name": "govulncheck"}} {"finding": `, "ends early"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := ReadResult(ResultOptions{Format: c.format, Source: "x", Check: "x"}, []byte(c.raw))
			e := verdict.AsError(err)
			if err == nil || e.Code != verdict.CodeInvalid || !strings.Contains(e.Error(), c.says) || strings.Contains(e.Remedy, "defect") {
				t.Errorf("%v; want %q", err, c.says)
			}
		})
	}
	if _, err := ReadResult(ResultOptions{Format: "xunit"}, nil); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeUsage {
		t.Errorf("a format that nobody knows: %v", err)
	}
	if _, err := ReadResult(ResultOptions{Format: "sarif"}, make([]byte, MaxResult+1)); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeLimit {
		t.Errorf("a flood: %v", err)
	}
}

// Whoever hands in another tool's report is told which it is.
func TestEachFormIsRecognised(t *testing.T) {
	files, err := filepath.Glob("testdata/results/*.*")
	if err != nil || len(files) != len(resultFormats) {
		t.Fatalf("%d samples for %d formats, %v", len(files), len(resultFormats), err)
	}
	for _, f := range files {
		form, _, _ := strings.Cut(filepath.Base(f), ".")
		for _, other := range ResultFormats() {
			if other == form {
				continue
			}
			_, err := ReadResult(ResultOptions{Format: other, Source: other, Check: "x"}, resultSample(t, filepath.Base(f)))
			if e := verdict.AsError(err); err == nil || !strings.Contains(e.What, "of the form "+form+" and not of "+other) {
				t.Errorf("%s as %s: %v", form, other, err)
			}
		}
	}
	_, err = ReadResult(ResultOptions{Format: "sarif", Source: "semgrep-oss", Check: "x"}, resultSample(t, "sarif.json"))
	if e := verdict.AsError(err); err == nil || !strings.Contains(e.What, "a report of codeql, and it is given as one of semgrep-oss") {
		t.Errorf("another tool's SARIF: %v", err)
	}
}

// A place outside of the tree would send whoever mends it, or a link on a page, elsewhere.
func TestPlacesOutsideOfTheTreeAreToldAndNotTrusted(t *testing.T) {
	for where, want := range map[string]string{
		"src/a.go": "src/a.go", "./src/a.go": "src/a.go", `src\a.go`: "src/a.go", "/home/build/tree/src/a.go": "src/a.go", "file:///home/build/tree/a%20b.go": "a b.go",
		"/etc/passwd": "", "../a.go": "", "src/../../a.go": "", `C:\a.go`: "", "https://evil.example/a.go": "", "/home/build/treehouse/a.go": "", "a\x00b": "", "": "",
		"a\nb.go": "a b.go",
	} {
		r := &resultReader{o: ResultOptions{Root: "/home/build/tree"}}
		r.hit(verdict.Hit{Detector: "x"}, where, "")
		got := r.finish()
		if got.Hits[0].Path != want {
			t.Errorf("%q is told as %q, want %q", where, got.Hits[0].Path, want)
		}
		if ok, blocks := toldOf(got, "outside of the tree"); ok != (want == "" && where != "") || blocks {
			t.Errorf("%q: told %v: %+v", where, ok, got.NotChecked)
		}
	}
}

func TestAnIndexThatLeadsNowhereNamesNothing(t *testing.T) {
	for _, i := range []string{"-1", "1", "1e300", "9223372036854775808", "0.5e1"} {
		r := readAs(t, "sarif", "sast", []byte(sarif(`"artifacts": [{"location": {"uri": "a.go"}}], "results": [{"ruleIndex": `+i+`, "message": {"text": "x"}, "locations": [{"physicalLocation": {"artifactLocation": {"index": `+i+`}}}]}]`)))
		if len(r.Hits) != 1 || r.Hits[0].Path != "" || r.Hits[0].Detector != "unnamed" {
			t.Errorf("%s: %+v", i, r.Hits)
		}
	}
}

// A report that names its files by index must not take longer the more files it names.
func TestALargeReportIsReadInOnePass(t *testing.T) {
	files := strings.Repeat(`{"location": {"uri": "a.go"}},`, 50_000) + `{"location": {"uri": "z.go"}}`
	one := `{"ruleId": "a", "message": {"text": "x"}, "locations": [{"physicalLocation": {"artifactLocation": {"index": 50000}}}]}`
	r := readAs(t, "sarif", "sast", []byte(sarif(`"artifacts": [`+files+`], "results": [`+strings.Repeat(one+",", 5_000)+one+`]`)))
	if len(r.Hits) != 5_001 || r.Hits[0].Path != "z.go" {
		t.Errorf("%d hits, %+v", len(r.Hits), r.Hits[0])
	}
}

func TestMoreFindingsThanAReportHoldsAreNotLost(t *testing.T) {
	r := &resultReader{}
	for i := range maxHits + 5 {
		r.hit(verdict.Hit{Detector: fmt.Sprint(i)}, "a", "")
	}
	if got := r.finish(); len(got.Hits) != maxHits || got.Complete {
		t.Errorf("%d hits, complete %v", len(got.Hits), got.Complete)
	}
	for range maxTold + 5 {
		r.open("", "x")
	}
	if len(r.report.NotChecked) != maxTold {
		t.Errorf("%d told", len(r.report.NotChecked))
	}
}

func FuzzResults(f *testing.F) {
	files, err := filepath.Glob("testdata/results/*.*")
	if err != nil {
		f.Fatal(err)
	}
	for _, name := range files {
		f.Add(resultSample(f, filepath.Base(name)))
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		for _, format := range ResultFormats() {
			r, err := ReadResult(ResultOptions{Format: format, Source: "x", Check: VulnerabilitiesCheck}, raw)
			if err != nil {
				if e := verdict.AsError(err); e.Code == verdict.CodeInternal {
					t.Errorf("%s: no remedy: %v", format, err)
				}
				continue
			}
			keys := map[string]bool{}
			for _, h := range r.Hits {
				if keys[h.Key] || h.Key == "" || h.Severity == "" || strings.HasPrefix(h.Path, "/") || strings.Contains("/"+h.Path+"/", "/../") {
					t.Errorf("%s: %+v", format, h)
				}
				keys[h.Key] = true
			}
			if r.Complete != complete(r.NotChecked) {
				t.Errorf("%s: complete %v with %+v", format, r.Complete, r.NotChecked)
			}
		}
	})
}
