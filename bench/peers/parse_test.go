package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

func sample(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// What a peer says is recorded from a run of the pinned version. A field that is read
// wrongly makes a loss look like agreement on nothing.
func TestPeersAreReadAsTheyWrite(t *testing.T) {
	for _, c := range []struct {
		file  string
		parse func([]byte, string) ([]finding, error)
		first finding
		n     int
	}{
		{"gitleaks.json", parseGitleaks, finding{Path: "settings.py", Line: 2, IDs: []string{"aws-access-token"}}, 1},
		{"osv-scanner.json", parseOSV, finding{Path: "go.mod", IDs: []string{"GO-2022-1059", "CVE-2022-32149", "GHSA-69ch-w2m2-3vjp"}, Package: "Go/golang.org/x/text@0.3.7"}, 2},
		{"trivy.json", parseTrivy, finding{Path: "main.tf", Line: 1, IDs: []string{"AVD-AWS-0096"}}, 1},
		{"trivy.cdx.json", func(data []byte, _ string) ([]finding, error) { return parseBill(data) }, finding{Package: "pkg:golang/example.org/t"}, 2},
	} {
		got, err := c.parse(sample(t, c.file), "/tree")
		if err != nil || len(got) != c.n {
			t.Errorf("%s: %d findings, want %d, %v", c.file, len(got), c.n, err)
			continue
		}
		if f := got[0]; f.Path != c.first.Path || f.Line != c.first.Line || f.Package != c.first.Package || !slices.Equal(f.IDs, c.first.IDs) {
			t.Errorf("%s: %+v, want %+v", c.file, f, c.first)
		}
		if _, err := c.parse([]byte(`{"results": [`), "/tree"); err == nil {
			t.Errorf("%s: a report that is cut short is read as one without findings", c.file)
		}
	}
}

func TestVerdictIsReadAsItWrites(t *testing.T) {
	got, err := parseVerdict(sample(t, "verdict.json"))
	if err != nil {
		t.Fatal(err)
	}
	if f := got[secrets]; len(f) != 1 || f[0].Path != "settings.py" || f[0].Line != 2 {
		t.Errorf("secrets: %v", f)
	}
	if f := got[vulnerabilities]; len(f) == 0 || f[0].Package != "Go/golang.org/x/text@0.3.7" || !slices.Contains(f[0].IDs, "GO-2022-1059") {
		t.Errorf("vulnerabilities: %v", f)
	}
	if _, checked := got[misconfigurations]; checked {
		t.Error("a check that was not run is compared as one that found nothing")
	}
	got, err = parseVerdict([]byte(`{"reports": [{"check": "iac", "hits": [{"detector": "AVD-AWS-0096", "path": "main.tf", "line": 1}]}]}`))
	if f := got[misconfigurations]; err != nil || len(f) != 1 || f[0].Path != "main.tf" || f[0].IDs[0] != "AVD-AWS-0096" {
		t.Errorf("misconfigurations: %v, %v", f, err)
	}
}

// The same package under two spellings would count as a loss and as a find of our own.
func TestOnePackageHasOneName(t *testing.T) {
	for _, c := range [][2]string{
		{coordinate("Go", "example.org/a", "v1.2.3"), coordinate("Go", "example.org/a", "1.2.3")},
		{coordinate("PyPI", "Ruamel.Yaml_x", "1"), coordinate("PyPI", "ruamel-yaml-x", "1")},
		{plain("pkg:npm/%40scope/a@1.0.0?vcs=x#sub"), plain("pkg:npm/@scope/a@1.0.0")},
	} {
		if c[0] != c[1] {
			t.Errorf("%s is not %s", c[0], c[1])
		}
	}
}
