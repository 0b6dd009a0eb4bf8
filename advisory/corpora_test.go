package advisory

import (
	"archive/tar"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/osv-scalibr/semantic"
	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/semver"

	"verdict"
)

var archives = []string{"go-vulndb-osv.tar.gz", "rustsec-osv.tar.gz", "pypa-osv-yaml.tar.gz"}

func corpora(t testing.TB) string {
	t.Helper()
	root := os.Getenv("VERDICT_CORPORA")
	if root == "" {
		root = "../../shared/corpora"
	}
	dir := filepath.Join(root, "osv")
	if _, err := os.Stat(dir); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("the corpora are missing: %v", err)
		}
		t.Skipf("the corpora are missing (set VERDICT_CORPORA): %v", err)
	}
	return dir
}

// The reference: records as anonymous trees, decoded, searched and compared in the most
// straightforward way, with golang.org/x/mod/semver in place of our order for Go and
// Rust. It shares no code with the index.
type tree = map[string]any

func readAll(t testing.TB, archive string) []tree {
	t.Helper()
	f, err := os.Open(archive)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	g, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []tree
	for r := tar.NewReader(g); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		var record tree
		switch filepath.Ext(h.Name) {
		case ".json":
			err = json.NewDecoder(r).Decode(&record)
		case ".yaml":
			err = yaml.NewDecoder(r).Decode(&record)
		default:
			continue
		}
		if err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		out = append(out, record)
	}
}

func texts(v any) []string {
	var out []string
	list, _ := v.([]any)
	for _, x := range list {
		out = append(out, text(x))
	}
	return out
}

func text(v any) string {
	switch x := v.(type) {
	case nil:
		return ""
	case time.Time:
		return x.Format(time.RFC3339)
	default:
		return fmt.Sprint(x)
	}
}

func trees(v any) []tree {
	var out []tree
	list, _ := v.([]any)
	for _, x := range list {
		if m, ok := x.(tree); ok {
			out = append(out, m)
		}
	}
	return out
}

// compareSlowly orders two versions; ok is false when one is none.
func compareSlowly(ecosystem, a, b string) (int, bool) {
	if ecosystem == "PyPI" {
		v, err := semantic.Parse(a, ecosystem)
		if err != nil {
			return 0, false
		}
		c, err := v.CompareStr(b)
		return c, err == nil
	}
	a, b = "v"+strings.TrimPrefix(a, "v"), "v"+strings.TrimPrefix(b, "v")
	return semver.Compare(a, b), semver.IsValid(a) && semver.IsValid(b)
}

// saysSlowly evaluates one affected entry by the algorithm of the OSV schema.
func saysSlowly(entry tree, version string) bool {
	pkg, _ := entry["package"].(tree)
	ecosystem := text(pkg["ecosystem"])
	for _, v := range texts(entry["versions"]) {
		if c, ok := compareSlowly(ecosystem, v, version); v == version || ok && c == 0 {
			return true
		}
	}
	for _, r := range trees(entry["ranges"]) {
		if kind := text(r["type"]); kind != "SEMVER" && kind != "ECOSYSTEM" {
			continue
		}
		list := trees(r["events"])
		at := func(e tree) string { return text(e["introduced"]) + text(e["fixed"]) + text(e["last_affected"]) }
		bad := false
		slices.SortStableFunc(list, func(a, b tree) int {
			switch {
			case text(a["introduced"]) == "0":
				return -1
			case text(b["introduced"]) == "0":
				return 1
			}
			c, ok := compareSlowly(ecosystem, at(a), at(b))
			bad = bad || !ok
			return c
		})
		vulnerable := false
		for _, e := range list {
			if e["introduced"] != nil {
				c, ok := compareSlowly(ecosystem, version, at(e))
				vulnerable = vulnerable || at(e) == "0" || ok && c >= 0
			} else if c, ok := compareSlowly(ecosystem, version, at(e)); ok && (c > 0 || c == 0 && e["fixed"] != nil) {
				vulnerable = false
			}
		}
		if vulnerable && !bad {
			return true
		}
	}
	return false
}

func foldSlowly(ecosystem, name string) string {
	if ecosystem == "PyPI" {
		name = strings.NewReplacer("_", "-", ".", "-").Replace(name)
		for strings.Contains(name, "--") {
			name = strings.ReplaceAll(name, "--", "-")
		}
	}
	if ecosystem == "crates.io" {
		name = strings.ReplaceAll(name, "_", "-")
	}
	return strings.ToLower(name)
}

// statement is one affected entry of one record that was not withdrawn.
type statement struct {
	ecosystem, name, id string
	entry               tree
}

func statements(records []tree) []statement {
	var out []statement
	for _, r := range records {
		if r["withdrawn"] != nil {
			continue
		}
		for _, entry := range trees(r["affected"]) {
			pkg, _ := entry["package"].(tree)
			ecosystem := text(pkg["ecosystem"])
			out = append(out, statement{ecosystem, foldSlowly(ecosystem, text(pkg["name"])), text(r["id"]), entry})
		}
	}
	return out
}

// slowly looks at all statements and gives the ids of those that name the component.
func slowly(all []statement, c verdict.Component) []string {
	var out []string
	name := foldSlowly(c.Ecosystem, c.Name)
	for _, s := range all {
		if s.name == name && s.ecosystem == c.Ecosystem && !slices.Contains(out, s.id) && saysSlowly(s.entry, c.Version) {
			out = append(out, s.id)
		}
	}
	return out
}

// components samples every nth package of the records, in the versions that its
// advisories name and in some beside them.
func components(records []tree, nth int) []verdict.Component {
	seen := map[[2]string]map[string]bool{}
	var order [][2]string
	for _, r := range records {
		for _, entry := range trees(r["affected"]) {
			pkg, _ := entry["package"].(tree)
			key := [2]string{text(pkg["ecosystem"]), text(pkg["name"])}
			if seen[key] == nil {
				seen[key] = map[string]bool{"0.0.1": true, "1.0.0": true, "99.0.0": true}
				order = append(order, key)
			}
			for _, rg := range trees(entry["ranges"]) {
				if text(rg["type"]) == "GIT" {
					continue
				}
				for _, e := range trees(rg["events"]) {
					v := text(e["introduced"]) + text(e["fixed"]) + text(e["last_affected"])
					for _, x := range []string{v, v + ".1", v + "-rc.1", v + "rc1", strings.Replace(v, "0", "1", 1)} {
						seen[key][x] = true
					}
				}
			}
			for i, v := range texts(entry["versions"]) {
				if i%7 == 0 {
					seen[key][v] = true
				}
			}
		}
	}
	slices.SortFunc(order, func(a, b [2]string) int { return strings.Compare(a[0]+a[1], b[0]+b[1]) })
	var out []verdict.Component
	for i := 0; i < len(order); i += nth {
		for _, v := range slices.Sorted(maps.Keys(seen[order[i]])) {
			out = append(out, verdict.Component{Ecosystem: order[i][0], Name: order[i][1], Version: v})
		}
	}
	return out
}

func TestTheIndexSaysWhatASlowReferenceSays(t *testing.T) {
	dir := corpora(t)
	dst := filepath.Join(t.TempDir(), "x")
	var records []tree
	for i, want := range []int64{4291, 714, 2661} {
		src := filepath.Join(dir, archives[i])
		if c := mustImport(t, src, dst, ImportOptions{}).Source.Counts; c.Records != want || c.Unreadable+c.NoPackage+c.Duplicates != 0 {
			t.Errorf("%s: %+v, want %d records", archives[i], c, want)
		}
		records = append(records, readAll(t, src)...)
	}
	x := mustOpen(t, dst)
	if err := x.Verify(); err != nil {
		t.Fatal(err)
	}
	if d := x.Database(); d.Entries != int64(len(records)) || !slices.Equal(d.Ecosystems, []string{"Go", "PyPI", "crates.io"}) {
		t.Errorf("%+v, want %d entries", d, len(records))
	}
	nth := 40
	if testing.Short() {
		nth = 300
	}
	sampled := components(records, nth)
	all := statements(records)
	hits, unjudged, clean := 0, 0, 0
	for _, c := range sampled {
		found, err := x.Match(c)
		if err != nil && !errors.Is(err, ErrVersion) {
			t.Fatalf("%v: %v", c, err)
		}
		if err != nil {
			unjudged++ // the reference has no word for this, so only its hits are compared
		}
		want := slowly(all, c)
		compareWith(t, c, found, want, err == nil)
		fixedIsRight(t, all, c, found)
		if hits += len(found); len(found) == 0 {
			clean++
		}
	}
	t.Logf("%d records; %d components compared: %d vulnerabilities, %d components clean, %d not judged", len(records), len(sampled), hits, clean, unjudged)
	if hits < len(sampled)/4 || clean < len(sampled)/20 || unjudged > len(sampled)/2 {
		t.Error("the sample proves little")
	}
}

// compareWith checks that each record of the reference is in one vulnerability, and that
// each vulnerability has a record.
func compareWith(t *testing.T, c verdict.Component, found []verdict.Vulnerability, want []string, judged bool) {
	t.Helper()
	left := slices.Clone(want)
	for _, v := range found {
		names := append([]string{v.ID}, v.Aliases...)
		n := len(left)
		left = slices.DeleteFunc(left, func(id string) bool { return slices.Contains(names, id) })
		if len(left) == n {
			t.Errorf("%s %s %s: %s %v is a hit, the reference has %v", c.Ecosystem, c.Name, c.Version, v.ID, v.Aliases, want)
		}
	}
	if judged && len(left) > 0 {
		t.Errorf("%s %s %s: %v are not found", c.Ecosystem, c.Name, c.Version, left)
	}
}

// fixedIsRight checks that a fixed version is above ours and that a record of the
// vulnerability no longer holds for it.
func fixedIsRight(t *testing.T, all []statement, c verdict.Component, found []verdict.Vulnerability) {
	t.Helper()
	for _, v := range found {
		if v.Fixed == "" {
			continue
		}
		if cmp, ok := compareSlowly(c.Ecosystem, v.Fixed, c.Version); ok && cmp <= 0 {
			t.Errorf("%s %s %s: fixed in %s, which is not above", c.Ecosystem, c.Name, c.Version, v.Fixed)
		}
		names := append([]string{v.ID}, v.Aliases...)
		now := c
		now.Version = v.Fixed
		before, after := 0, 0
		for _, id := range slowly(all, c) {
			if slices.Contains(names, id) {
				before++
			}
		}
		for _, id := range slowly(all, now) {
			if slices.Contains(names, id) {
				after++
			}
		}
		if after >= before {
			t.Errorf("%s %s %s: fixed in %s, where %d of %d records of %s still hold", c.Ecosystem, c.Name, c.Version, v.Fixed, after, before, v.ID)
		}
	}
}

// Truths that were looked up by hand in the databases' own pages.
func TestKnownTruths(t *testing.T) {
	dir := corpora(t)
	dst := filepath.Join(t.TempDir(), "x")
	for _, a := range archives {
		mustImport(t, filepath.Join(dir, a), dst, ImportOptions{})
	}
	x := mustOpen(t, dst)
	for _, c := range []struct {
		ecosystem, name, version, id, fixed string
	}{
		{"Go", "golang.org/x/net", "v0.16.0", "CVE-2023-39325", "v0.17.0"}, // HTTP/2 rapid reset
		{"Go", "golang.org/x/text", "v0.3.6", "CVE-2021-38561", "v0.3.7"},
		{"Go", "stdlib", "go1.20.9", "CVE-2023-39325", "1.20.10"},
		{"Go", "stdlib", "go1.21.2", "CVE-2023-39325", "1.21.3"},
		{"Go", "github.com/golang-jwt/jwt/v4", "v4.5.0", "CVE-2025-30204", "v4.5.2"},
		{"crates.io", "time", "0.1.44", "CVE-2020-26235", "0.2.0"}, // 0.2.0 to 0.2.6 never had it
		{"PyPI", "Jinja2", "2.10", "CVE-2019-10906", "2.10.1"},
		{"PyPI", "requests", "2.19.1", "CVE-2018-18074", "2.20.0"},
	} {
		hits := match(t, x, c.ecosystem, c.name, c.version)
		i := slices.IndexFunc(hits, func(v verdict.Vulnerability) bool { return v.ID == c.id })
		if i < 0 || hits[i].Fixed != c.fixed {
			t.Errorf("%+v: got %+v", c, hits)
			continue
		}
		for _, v := range match(t, x, c.ecosystem, c.name, c.fixed) {
			if v.ID == c.id {
				t.Errorf("%s still holds in %s", c.id, c.fixed)
			}
		}
	}
}

func BenchmarkBuild(b *testing.B) {
	dir := corpora(b)
	dst := filepath.Join(b.TempDir(), "x")
	var n int64
	for b.Loop() {
		n = 0
		for _, a := range archives {
			n += mustImport(b, filepath.Join(dir, a), dst, ImportOptions{}).Source.Counts.Records
		}
	}
	fi, err := os.Stat(dst)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(n), "advisories")
	b.ReportMetric(float64(fi.Size()), "bytes")
}

func BenchmarkMatch1000(b *testing.B) {
	dir := corpora(b)
	dst := filepath.Join(b.TempDir(), "x")
	var records []tree
	for _, a := range archives {
		mustImport(b, filepath.Join(dir, a), dst, ImportOptions{})
		records = append(records, readAll(b, filepath.Join(dir, a))...)
	}
	// As in a real project, most packages are in no advisory: one in ten is here, each
	// in one version of those that its advisories name.
	var ask []verdict.Component
	last := ""
	for _, c := range components(records, 40) {
		if c.Name != last && len(ask) < 100 && c.Version != "0.0.1" {
			last, ask = c.Name, append(ask, c)
		}
	}
	for len(ask) < 1000 {
		ask = append(ask, verdict.Component{Ecosystem: "Go", Name: fmt.Sprintf("example.com/m%d", len(ask)), Version: "v1.0.0"})
	}
	hits := 0
	for b.Loop() {
		x, err := Open(dst)
		if err != nil {
			b.Fatal(err)
		}
		hits = 0
		for _, c := range ask {
			found, err := x.Match(c)
			if err != nil && !errors.Is(err, ErrVersion) {
				b.Fatal(err)
			}
			hits += len(found)
		}
		_ = x.Close()
	}
	b.ReportMetric(float64(hits), "hits")
}
