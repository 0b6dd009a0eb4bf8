package advisory

import (
	"encoding/binary"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
)

func TestCatalogues(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	done := mustImport(t, file(t, "kev.json", []byte(`{"catalogVersion":"2026.11.01","dateReleased":"2026-11-01T15:00:00.0000Z","vulnerabilities":[
		{"cveID":"CVE-2021-44228"},{"cveID":"CVE-2014-0160"},{"cveID":"CVE-2021-44228"}]}`)), dst, ImportOptions{})
	if s := done.Source; s.Name != "kev" || s.Family != FamilyKEV || s.Counts != (Tally{Records: 2, Duplicates: 1}) || !s.Modified.Equal(time.Date(2026, 11, 1, 15, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	x := mustOpen(t, dst)
	for id, want := range map[string]bool{"CVE-2021-44228": true, "CVE-2014-0160": true, "CVE-2021-4422": false, "CVE-2021-442280": false} {
		n, ok := numberOfCVE(id)
		if !ok || x.exploited(n) != want {
			t.Errorf("%s exploited: %v, want %v", id, !want, want)
		}
	}
	scores := "#model_version:v2025.03.14,score_date:2026-11-02T00:00:00+0000\ncve,epss,percentile\n" +
		"CVE-2021-44228,0.94358,0.9996\r\nCVE-2014-0160,1,1\nCVE-1999-0001,0,0\nCVE-1999-0001,0.5,0\n\n"
	packed := gzipped(t, scores)
	s := mustImport(t, file(t, "epss_scores-current.csv.gz", packed), dst, ImportOptions{}).Source
	if s.Name != "epss" || s.Counts != (Tally{Records: 3, Duplicates: 1}) || !s.Modified.Equal(time.Date(2026, 11, 2, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("%+v", s)
	}
	x = mustOpen(t, dst)
	for id, want := range map[string]int64{"CVE-2021-44228": 943580, "CVE-2014-0160": 1_000_000, "CVE-1999-0001": 500_000, "CVE-2000-0001": -1} {
		n, _ := numberOfCVE(id)
		if got, _ := x.probability(n); got != want {
			t.Errorf("%s: %d, want %d", id, got, want)
		}
	}
	if len(x.kev) != 2*kevSize {
		t.Error("the first catalogue is gone with the second")
	}
}

func TestCataloguesThatAreRefused(t *testing.T) {
	rows := "cve,epss,percentile\n" + strings.Repeat("CVE-2020-0001,0.5,0.5\n", 9)
	for name, c := range map[string][2]string{
		"KEV without entries":              {"kev.json", `{"catalogVersion":"1","vulnerabilities":[]}`},
		"KEV of another shape":             {"kev.json", `{"catalogVersion":"1","vulnerabilities":{"cveID":"CVE-2020-0001"}}`},
		"KEV that ends early":              {"kev.json", `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2020-0001"}`},
		"KEV with a time that is none":     {"kev.json", `{"catalogVersion":"1","dateReleased":"today","vulnerabilities":[{"cveID":"CVE-2020-0001"}]}`},
		"KEV nested 100,000 deep":          {"kev.json", `{"catalogVersion":` + strings.Repeat("[", 100_000)},
		"EPSS without rows":                {"epss.csv", "cve,epss,percentile\n"},
		"EPSS with other columns":          {"epss.csv", "#model_version:v1,score_date:2026-01-01T00:00:00Z\ncve,score\nCVE-2020-0001,0.5\n"},
		"EPSS without a date":              {"epss.csv", "#model_version:v1\n" + rows},
		"a probability above one":          {"epss.csv", rows + "CVE-2020-0002,1.5,0.5\n"},
		"a probability that is no number":  {"epss.csv", rows + "CVE-2020-0002,NaN,0.5\n"},
		"a negative probability":           {"epss.csv", rows + "CVE-2020-0002,-0.1,0.5\n"},
		"a row without a CVE":              {"epss.csv", rows + "GHSA-1,0.1,0.5\n"},
		"a line without end":               {"epss.csv", rows + "CVE-2020-0002," + strings.Repeat("0", maxLine) + "\n"},
		"a gzip of EPSS that ends early":   {"epss.csv.gz", string(gzipped(t, rows)[:30])},
		"a number that is none of a CVE's": {"kev.json", `{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2020-1"}]}`},
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "x")
			done, err := Import(t.Context(), file(t, c[0], []byte(c[1])), dst, ImportOptions{Now: clock})
			if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeInvalid || strings.Contains(e.Remedy, "defect") {
				t.Errorf("imported %+v, error %v", done, err)
			}
		})
	}
}

func FuzzCatalogue(f *testing.F) {
	f.Add("#model_version:v1,score_date:2026-01-01T00:00:00Z\ncve,epss,percentile\nCVE-2020-0001,0.5,0.5\n")
	f.Add(`{"catalogVersion":"1","dateReleased":"2026-11-01T15:00:00.0000Z","vulnerabilities":[{"cveID":"CVE-2020-0001"}]}`)
	f.Add("cve,epss\nCVE-0000-0000,1e-400,")
	f.Fuzz(func(t *testing.T, s string) {
		sorted := func(b []byte, width int) {
			if len(b)%width != 0 {
				t.Fatalf("%d bytes for rows of %d", len(b), width)
			}
			for i := width; i < len(b); i += width {
				if binary.LittleEndian.Uint64(b[i:]) <= binary.LittleEndian.Uint64(b[i-width:]) {
					t.Fatal("out of order")
				}
			}
		}
		if c, err := parseKEV(strings.NewReader(s)); err == nil {
			sorted(c.kev, kevSize)
		}
		if c, err := parseEPSS(strings.NewReader(s)); err == nil {
			sorted(c.epss, epssSize)
			for b := c.epss; len(b) > 0; b = b[epssSize:] {
				if p := binary.LittleEndian.Uint32(b[8:]); p > 1_000_000 {
					t.Fatalf("probability of %d parts per million", p)
				}
			}
		}
	})
}
