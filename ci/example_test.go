package ci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/advisory"
)

const example = "../examples/acme"

// The example organisation: its service is clean, and the change over it leaks a key and
// locks a version that a fact of its advisories names.
func TestTheExampleIsCleanAndItsBadChangeIsNot(t *testing.T) {
	now := func() time.Time { return time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC) }
	dst := filepath.Join(t.TempDir(), "advisories")
	_, err := advisory.Import(t.Context(), filepath.Join(example, "advisories"), dst, advisory.ImportOptions{Now: now})
	must(t, err)
	index, err := advisory.Open(dst)
	must(t, err)
	defer index.Close()
	dir := repository(t)
	must(t, os.CopyFS(dir, os.DirFS(filepath.Join(example, "payments-api"))))
	id := commitAll(t, dir)
	r := ran(t, dir, Options{Matcher: index, Now: now})
	if r.Subject.Digest.Hex() != id || len(r.Dependencies) < 2 {
		t.Errorf("subject %+v, dependencies %+v", r.Subject, r.Dependencies)
	}
	for _, report := range r.Reports {
		if !report.Complete || len(report.Hits) > 0 {
			t.Errorf("the clean tree: %+v", report)
		}
	}
	over := os.DirFS(filepath.Join(example, "change-leak"))
	files, err := listFiles(over)
	must(t, err)
	for _, f := range files {
		content, err := os.ReadFile(filepath.Join(example, "change-leak", f))
		must(t, err)
		write(t, dir, f, string(content))
	}
	commitAll(t, dir)
	r = ran(t, dir, Options{Matcher: index, Now: now})
	for i, word := range []string{"config/settlement.yaml", "web/package-lock.json"} {
		report := r.Reports[i]
		if !report.Complete || len(report.Hits) != 1 || report.Hits[0].Path != word || report.Hits[0].Line == 0 || report.Hits[0].Fix == "" {
			t.Errorf("%s: %+v", word, report)
		}
	}
	if v := r.Reports[1].Hits[0].Vulnerability; v == nil || v.ID != "CVE-2021-23337" || v.Fixed != "4.17.21" || !v.Direct || v.Component.PURL != "pkg:npm/lodash@4.17.20" {
		t.Errorf("vulnerability: %+v", v)
	}
	if db := r.Reports[1].Database; db == nil || !slices.Equal(db.Ecosystems, []string{"Go", "npm"}) {
		t.Errorf("database: %+v", db)
	}
}

// What real advisories say about real modules, when they are there.
func TestRealGoAdvisories(t *testing.T) {
	corpora := os.Getenv("VERDICT_CORPORA")
	if corpora == "" {
		corpora = "../../shared/corpora"
	}
	archive := filepath.Join(corpora, "osv", "go-vulndb-osv.tar.gz")
	if _, err := os.Stat(archive); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpora are missing: %v", err)
		}
		t.Skipf("the corpora are not here (VERDICT_CORPORA): %v", err)
	}
	dst := filepath.Join(t.TempDir(), "advisories")
	_, err := advisory.Import(t.Context(), archive, dst, advisory.ImportOptions{})
	must(t, err)
	index, err := advisory.Open(dst)
	must(t, err)
	defer index.Close()
	dir := t.TempDir()
	write(t, dir, "go.mod", "module m\n\ngo 1.22.0\n\nrequire (\n\tgolang.org/x/net v0.22.0\n\tgolang.org/x/text v0.3.7 // indirect\n\texample.com/none v1.0.0\n)\n")
	r := ran(t, dir, Options{Matcher: index}).Reports[1]
	for id, purl := range map[string]string{"CVE-2023-45288": "pkg:golang/golang.org/x/net@v0.22.0", "CVE-2022-32149": "pkg:golang/golang.org/x/text@v0.3.7", "CVE-2024-24790": "pkg:golang/stdlib@1.22.0"} {
		i := slices.IndexFunc(r.Hits, func(h verdict.Hit) bool { return h.Key == id+"@"+purl })
		if i < 0 || r.Hits[i].Vulnerability.Fixed == "" {
			t.Errorf("%s in %s was not found, or without its fix", id, purl)
			continue
		}
		if fixed := r.Hits[i].Fix; !strings.Contains(fixed, "go get ") {
			t.Errorf("%s: fix %q", id, fixed)
		}
	}
	if !r.Complete {
		t.Errorf("incomplete: %+v", r.NotChecked)
	}
	t.Logf("%d hits in %d components", len(r.Hits), r.Scope.Components)
}
