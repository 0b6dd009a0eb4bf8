package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func vulnerability(pkg string, ids ...string) finding {
	return finding{Path: "go.mod", Package: pkg, IDs: ids}
}

// A loss that passes for a known difference, or for none, is the one thing that this
// program must not let through.
func TestComparisonTellsWhatIsLost(t *testing.T) {
	classes := []class{{name: "ours", kind: vulnerabilities, side: extra, pkg: "^Go/stdlib@"}, {name: "theirs", kind: vulnerabilities, side: lost, id: "^GO-9$"}}
	d := compare(vulnerabilities,
		[]finding{vulnerability("Go/a@1", "CVE-1", "GO-1"), vulnerability("Go/a@1", "GO-1"), vulnerability("Go/stdlib@1", "CVE-2"), vulnerability("Go/b@1", "CVE-3")},
		[]finding{vulnerability("Go/a@1", "GO-1"), vulnerability("Go/a@2", "GO-1"), vulnerability("Go/c@1", "GO-9"), vulnerability("Go/stdlib@1", "GO-7")},
		classes)
	if d.common != 1 || len(d.known[extra]["ours"]) != 1 || len(d.known[lost]["theirs"]) != 1 {
		t.Errorf("common %d, known %v", d.common, d.known)
	}
	if open := d.open[lost]; len(open) != 2 || open[0].Package != "Go/a@2" || open[1].Package != "Go/stdlib@1" {
		t.Errorf("another version and another side are lost without a reason, got %v", open)
	}
	if len(d.open[extra]) != 1 || !d.unexplained() {
		t.Errorf("open %v", d.open)
	}
	if compare(misconfigurations, nil, []finding{{Path: "main.tf", IDs: []string{"AVD-1"}}}, nil).unexplained() {
		t.Error("a misconfiguration fails the command, which promises that for secrets and vulnerabilities alone")
	}
}

func TestASecretCountsAgainOnlyWhereTheVerySameWasFoundInTheFile(t *testing.T) {
	mine := []finding{{Path: "a", Line: 1}}
	for _, c := range []struct {
		name  string
		again finding
		open  int
	}{
		{"the same in another line", finding{Path: "a", Line: 9, Value: "x"}, 0},
		{"another one in the file", finding{Path: "a", Line: 9, Value: "y"}, 1},
		{"the same in another file", finding{Path: "b", Line: 1, Value: "x"}, 1},
		{"one of which nobody knows the value", finding{Path: "a", Line: 9}, 1},
	} {
		d := compare(secrets, mine, []finding{{Path: "a", Line: 1, Value: "x"}, c.again}, known)
		if len(d.open[lost]) != c.open {
			t.Errorf("%s: %v", c.name, d.open[lost])
		}
	}
}

// What trivy has and Verdict has not must stay a loss, whatever Verdict has beside it.
func TestOwnRulesExplainOnlyThemselves(t *testing.T) {
	at := func(id string) finding { return finding{Path: "main.tf", Line: 1, IDs: []string{id}} }
	d := compare(misconfigurations, []finding{at("VI-AZ-006"), at("VP-GHA-004"), at("AVD-AZU-0008")}, []finding{at("AVD-AZU-0011")}, known)
	if got := d.known[extra]["rules of Verdict's own"]; len(got) != 2 || len(d.open[extra]) != 1 || len(d.open[lost]) != 1 {
		t.Errorf("known %v, open %v", d.known, d.open)
	}
}

// A class that nobody explained is a way to hide a loss.
func TestEveryClassHasItsParagraph(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "design", "ci-differences.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range known {
		if !strings.Contains(strings.ToLower(string(data)), "**"+strings.ToLower(c.name)) {
			t.Errorf("docs/design/ci-differences.md has no paragraph that begins with **%s", c.name)
		}
		if c.path == "" && c.id == "" && c.pkg == "" && !c.same {
			t.Errorf("%s covers everything", c.name)
		}
	}
}

func TestTheTableTellsWhatWasNotMeasured(t *testing.T) {
	r := result{tree: "a tree", files: 301, verdict: usage{time.Second, time.Second, 100e6}, rows: []row{
		{peer: "cheap", usage: usage{4 * time.Second, 3 * time.Second, 200e6}, open: "verdict ci has no such check"},
		{peer: "absent", why: "it could not be built"},
	}}
	var out bytes.Buffer
	r.costs(&out)
	r.quality(&out)
	for _, want := range []string{"absent not measured", "absent: not measured: it could not be built", "(of 1 of 2 peers only): 0.25 met, and the aim of 1/4",
		"slowest peer (of 1 of 2 peers only): 0.33 met", "cheap: not measured: verdict ci has no such check"} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
	r.rows = r.rows[1:]
	out.Reset()
	r.costs(&out)
	if !strings.Contains(out.String(), "no ratio is known") {
		t.Errorf("without a peer there is a ratio:\n%s", out.String())
	}
	if got := cpuWord(0.51, 301); got != "MISSED (at most 1/2)" {
		t.Error(got)
	}
	if got := cpuWord(0.9, 300); !strings.Contains(got, "no goal") {
		t.Error(got)
	}
}
