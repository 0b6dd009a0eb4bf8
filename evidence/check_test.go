package evidence_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	testresult "github.com/in-toto/attestation/go/predicates/test_result/v0"
	vulns "github.com/in-toto/attestation/go/predicates/vulns/v02"
	"google.golang.org/protobuf/encoding/protojson"

	"verdict"
	"verdict/evidence"
)

func report(check string) verdict.Report {
	return verdict.Report{
		Check: check, Tool: verdict.Tool{Name: "verdict", Version: "1.0", Rules: digest("sha256", 9)}, Complete: true,
		Database: &verdict.Database{Name: "osv", Digest: digest("sha256", 8), At: day, Entries: 3},
		Scope:    verdict.Scope{Path: ".", Files: 3},
		Hits: []verdict.Hit{{Key: "k1", Detector: "GHSA-1", Message: "<&>", Severity: verdict.SeverityHigh, Path: "go.mod", Vulnerability: &verdict.Vulnerability{
			ID: "GHSA-1", Component: verdict.Component{Ecosystem: "Go", Name: "x", PURL: "pkg:golang/x@1"}, Fixed: "1.1",
		}}},
	}
}

func TestAReportTravelsWhole(t *testing.T) {
	for _, check := range []string{"secrets", "vulnerabilities"} {
		t.Run(check, func(t *testing.T) {
			s, err := evidence.NewCheck(report(check), artifact(1), day, day.Add(time.Second), context1(), nil)
			if err != nil {
				t.Fatal(err)
			}
			s = reparsed(t, s)
			if want := map[string]verdict.Kind{"secrets": verdict.KindTestResult, "vulnerabilities": verdict.KindVulnerabilities}[check]; s.Kind() != want {
				t.Errorf("kind %s", s.Kind())
			}
			got, ok := evidence.ReportOf(s)
			if !ok {
				t.Fatal("no report")
			}
			want := report(check)
			want.NotChecked, want.Database.Ecosystems = []verdict.NotChecked{}, []string{}
			want.Hits[0].Vulnerability.Aliases, want.Hits[0].Vulnerability.Path = []string{}, []string{}
			if d := cmp.Diff(&want, got); d != "" {
				t.Error(d)
			}
			if strings.Contains(string(s.Predicate), "null") {
				t.Errorf("null in %s", s.Predicate)
			}
		})
	}
	if _, ok := evidence.ReportOf(newStatement(t, struct{}{})); ok {
		t.Error("a report out of nothing")
	}
	if _, ok := evidence.ReportOf(newStatement(t, map[string]int{evidence.ReportField: 1})); ok {
		t.Error("a report out of a number")
	}
}

// TestEachRunOfACheckIsEvidenceOfItsOwn: a leak that comes back after a pass has to
// stand after the pass in the ledger, or the pass counts.
func TestEachRunOfACheckIsEvidenceOfItsOwn(t *testing.T) {
	for _, check := range []string{"secrets", "vulnerabilities"} {
		run := func(at time.Time) verdict.Digest {
			return must(t, func() (*evidence.Statement, error) {
				return evidence.NewCheck(report(check), artifact(1), at, at, context1(), nil)
			}).Identity("somebody")
		}
		if run(day) == run(day.Add(time.Second)) {
			t.Errorf("two runs of %s are one piece of evidence", check)
		}
	}
}

// TestOthersReadOurChecks: the published predicate types accept what we write.
func TestOthersReadOurChecks(t *testing.T) {
	read := protojson.UnmarshalOptions{DiscardUnknown: true}
	body := func(check string) []byte {
		return must(t, func() (*evidence.Statement, error) {
			return evidence.NewCheck(report(check), artifact(1), day, day.Add(time.Second), context1(), nil)
		}).Body()
	}
	var tests testresult.TestResult
	if err := read.Unmarshal(body("secrets"), &tests); err != nil {
		t.Fatal(err)
	}
	if err := tests.GetConfiguration()[0].Validate(); err != nil || tests.GetResult() != "FAILED" || tests.GetFailedTests()[0] != "secrets: k1" {
		t.Errorf("%v, %v", &tests, err)
	}
	var found vulns.Vulns
	if err := read.Unmarshal(body("vulnerabilities"), &found); err != nil {
		t.Fatal(err)
	}
	if r := found.GetScanner().GetResult()[0]; r.GetId() != "GHSA-1" || r.GetSeverity()[0].GetScore() != "high" {
		t.Errorf("result %v", r)
	}
	if !found.GetScanner().GetDb().GetLastUpdate().AsTime().Equal(day) || !found.GetMetadata().GetScanStartedOn().AsTime().Equal(day) {
		t.Errorf("times %v", &found)
	}
}

// TestWhatWasNotLookedAtIsNotClean: a reader of the standard alone must not take an
// incomplete run for a pass.
func TestWhatWasNotLookedAtIsNotClean(t *testing.T) {
	for _, c := range []struct {
		name     string
		complete bool
		hits     []verdict.Hit
		want     string
	}{
		{"complete and clean", true, nil, "PASSED"},
		{"complete with a hit", true, []verdict.Hit{{Key: "k"}}, "FAILED"},
		{"incomplete without hits", false, nil, "FAILED"},
		{"incomplete with a hit", false, []verdict.Hit{{Key: "k"}}, "FAILED"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := json.Marshal(evidence.TestResult(verdict.Report{Check: "secrets", Complete: c.complete, Hits: c.hits}, day, day))
			if err != nil {
				t.Fatal(err)
			}
			var got struct {
				Result                   string
				PassedTests, FailedTests []string
			}
			if err := json.Unmarshal(b, &got); err != nil {
				t.Fatal(err)
			}
			if got.Result != c.want || (c.want == "PASSED") != (len(got.FailedTests) == 0) || (c.want == "PASSED") != (len(got.PassedTests) == 1) {
				t.Errorf("%s", b)
			}
		})
	}
}
