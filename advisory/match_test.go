package advisory

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"verdict"
)

var today = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

func clock() time.Time { return today }

// folder writes files and gives the folder.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		p := filepath.Join(dir, filepath.FromSlash(name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(p), 0o755), os.WriteFile(p, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// imported makes an index of one folder.
func imported(t testing.TB, files map[string]string) *Index {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "advisories")
	mustImport(t, folder(t, files), dst, ImportOptions{Name: "test", Now: clock})
	return mustOpen(t, dst)
}

func mustImport(t testing.TB, src, dst string, o ImportOptions) *Imported {
	t.Helper()
	if o.Now == nil {
		o.Now = clock
	}
	done, err := Import(t.Context(), src, dst, o)
	if err != nil {
		t.Fatalf("Import: %v", err)
	}
	return done
}

func mustOpen(t testing.TB, path string) *Index {
	t.Helper()
	x, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = x.Close() })
	return x
}

// affects is the JSON of an affected package; rest is ranges and what else.
func affects(ecosystem, name, rest string) string {
	return fmt.Sprintf(`{"package":{"ecosystem":%q,"name":%q},%s}`, ecosystem, name, rest)
}

// events is the JSON of one range: "introduced 0 fixed 1.2".
func events(kind, words string) string {
	var list []string
	for pair := range slices.Chunk(strings.Fields(words), 2) {
		list = append(list, fmt.Sprintf(`{%q:%q}`, pair[0], pair[1]))
	}
	return fmt.Sprintf(`"ranges":[{"type":%q,"events":[%s]}]`, kind, strings.Join(list, ","))
}

// osv is the JSON of one record.
func osv(id, more string, affected ...string) string {
	if more != "" {
		more += ","
	}
	return fmt.Sprintf(`{"id":%q,"modified":"2026-11-01T00:00:00Z",%s"affected":[%s]}`, id, more, strings.Join(affected, ","))
}

func match(t testing.TB, x *Index, ecosystem, name, version string) []verdict.Vulnerability {
	t.Helper()
	hits, err := x.Match(verdict.Component{Ecosystem: ecosystem, Name: name, Version: version})
	if err != nil {
		t.Fatalf("%s %s %s: %v", ecosystem, name, version, err)
	}
	return hits
}

func ids(hits []verdict.Vulnerability) string {
	out := []string{}
	for _, h := range hits {
		out = append(out, h.ID)
	}
	return strings.Join(out, " ")
}

func TestOneFaultIsOneHitUnderOneName(t *testing.T) {
	x := imported(t, map[string]string{
		"a.json": osv("GO-2026-0001", `"aliases":["CVE-2026-1000","GHSA-aaaa-bbbb-cccc"],"summary":"Overflow"`,
			affects("Go", "example.com/a", events("SEMVER", "introduced 0 fixed 1.2.0"))),
		"b.json": osv("GHSA-aaaa-bbbb-cccc", `"aliases":["CVE-2026-1000"],"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`,
			affects("Go", "example.com/a", events("SEMVER", "introduced 0 fixed 1.1.0"))),
		"c.json": osv("CVE-2026-999", ``, affects("Go", "example.com/a", events("SEMVER", "introduced 0 last_affected 1.3.0"))),
		"d.json": osv("GO-2026-0002", `"aliases":["CVE-2026-2000","CVE-2026-10001"]`, affects("Go", "example.com/b", events("SEMVER", "introduced 0"))),
	})
	got := match(t, x, "Go", "example.com/a", "v1.0.0")
	want := []verdict.Vulnerability{
		{
			ID: "CVE-2026-1000", Aliases: []string{"GHSA-aaaa-bbbb-cccc", "GO-2026-0001"}, Summary: "Overflow", Severity: verdict.SeverityCritical,
			Component: verdict.Component{Ecosystem: "Go", Name: "example.com/a", Version: "v1.0.0"},
			Fixed:     "v1.2.0", EPSS: -1, Path: []string{},
		},
		{
			ID: "CVE-2026-999", Aliases: []string{}, Severity: verdict.SeverityUnknown,
			Component: verdict.Component{Ecosystem: "Go", Name: "example.com/a", Version: "v1.0.0"},
			EPSS:      -1, Path: []string{},
		},
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Errorf("hits differ (-want +got):\n%s", d)
	}
	for version, want := range map[string]string{"v1.1.5": "CVE-2026-1000 CVE-2026-999", "v1.2.0": "CVE-2026-999", "v1.4.0": ""} {
		if got := ids(match(t, x, "Go", "example.com/a", version)); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
	if got := match(t, x, "Go", "example.com/b", "v1.0.0"); ids(got) != "CVE-2026-2000" {
		t.Errorf("the lowest CVE names a fault of two, got %v", got)
	}
	if got := match(t, x, "Go", "example.com/clean", "v1.0.0"); got == nil || len(got) != 0 {
		t.Errorf("a clean package gave %#v, want an empty list", got)
	}
}

func TestIDsArePreferredByTheDocumentedOrder(t *testing.T) {
	list := []string{"SNYK-1", "GHSA-a", "PYSEC-1", "GO-1", "CVE-2020-10000", "CVE-2020-9999", "MAL-1"}
	slices.SortFunc(list, byPreference)
	if got := strings.Join(list, " "); got != "MAL-1 CVE-2020-9999 CVE-2020-10000 GO-1 PYSEC-1 GHSA-a SNYK-1" {
		t.Error(got)
	}
}

func TestFixedIsTheLowestVersionAboveOursThatIsNotAffected(t *testing.T) {
	for _, c := range []struct{ name, version, events, other, want string }{
		{"one branch", "1.0.0", "introduced 0 fixed 1.2.0", "", "1.2.0"},
		{"our branch before a later one", "1.18.5", "introduced 0 fixed 1.18.9 introduced 1.19.0 fixed 1.19.4", "", "1.18.9"},
		{"a later branch when ours was left behind", "1.19.1", "introduced 0 fixed 1.18.9 introduced 1.19.0 fixed 1.19.4", "", "1.19.4"},
		{"no fix", "1.0.0", "introduced 0 last_affected 1.5.0", "", ""},
		{"the other record is not fixed there yet", "1.0.0", "introduced 0 fixed 1.2.0", "introduced 0 fixed 1.3.0", "1.3.0"},
		{"the other record knows of no fix at all and has no say", "1.0.0", "introduced 0 fixed 1.2.0", "introduced 0", "1.2.0"},
		{"the other record sees the fault come in with the fix", "1.0.0", "introduced 0 fixed 1.2.0 introduced 1.4.0 fixed 1.5.0", "introduced 1.1.0 fixed 1.3.0", "1.3.0"},
		{"a limit is no fix", "1.0.0", "introduced 0 limit 1.4.0", "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			files := map[string]string{"a.json": osv("GHSA-1", `"aliases":["CVE-2026-0001"]`, affects("npm", "a", events("SEMVER", c.events)))}
			if c.other != "" {
				files["b.json"] = osv("GHSA-2", `"aliases":["CVE-2026-0001"]`, affects("npm", "a", events("SEMVER", c.other)))
			}
			hits := match(t, imported(t, files), "npm", "a", c.version)
			if len(hits) != 1 || hits[0].Fixed != c.want {
				t.Errorf("got %+v, want fixed %q", hits, c.want)
			}
		})
	}
}

func TestListsOfVersions(t *testing.T) {
	x := imported(t, map[string]string{
		"a.json": osv("PYSEC-1", "", affects("PyPI", "Foo_Bar", `"versions":["1.0","1.1","2013b","legacy-1"],`+events("ECOSYSTEM", "introduced 2.0 fixed 2.2"))),
	})
	for version, want := range map[string]string{
		"1.0": "PYSEC-1", "1.0.0": "PYSEC-1", "v1.1": "PYSEC-1", "1.0.1": "", "2.1": "PYSEC-1", "2.2": "", "2.0rc1": "", "legacy-1": "PYSEC-1", "1!1.0": "",
	} {
		if got := ids(match(t, x, "PyPI", "foo-bar", version)); got != want {
			t.Errorf("%s: %q, want %q", version, got, want)
		}
	}
	if hits, err := x.Match(verdict.Component{Ecosystem: "PyPI", Name: "foo.bar", Version: "legacy-2"}); !errors.Is(err, ErrVersion) || len(hits) != 0 {
		t.Errorf("a version that cannot be ordered gave %v, %v", hits, err)
	}
}

func TestWhatCannotBeJudgedIsAnErrorAndNeverClean(t *testing.T) {
	x := imported(t, map[string]string{
		"range.json":    osv("GHSA-range", "", affects("npm", "bad-range", events("SEMVER", "introduced banana"))),
		"git.json":      osv("GHSA-git", "", affects("npm", "git-only", events("GIT", "introduced 0 fixed deadbeef"))),
		"none.json":     osv("GHSA-none", "", affects("npm", "nothing-said", `"ranges":[]`)),
		"kind.json":     osv("GHSA-kind", "", affects("npm", "new-kind", events("QUANTUM", "introduced 0"))),
		"ok.json":       osv("GHSA-ok", "", affects("npm", "ok", events("SEMVER", "introduced 0 fixed 2.0.0"))),
		"all.json":      osv("MAL-2026-1", "", affects("npm", "evil", events("SEMVER", "introduced 0"))),
		"both.json":     osv("GHSA-both", "", affects("npm", "git-too", events("GIT", "introduced 0")), affects("npm", "git-too", events("SEMVER", "introduced 0 fixed 2.0.0"))),
		"mixed-1.json":  osv("GHSA-mixed-1", "", affects("npm", "mixed", events("SEMVER", "introduced banana"))),
		"mixed-2.json":  osv("GHSA-mixed-2", "", affects("npm", "mixed", events("SEMVER", "introduced 0"))),
		"brew.json":     osv("BREW-1", "", affects("Homebrew", "wget", events("ECOSYSTEM", "introduced 0 fixed 2"))),
		"brewlist.json": osv("BREW-2", "", affects("Homebrew", "curl", `"versions":["8.1"]`)),
		"list.json":     osv("PYSEC-list", "", affects("PyPI", "listed", `"versions":["1.0","1.1"]`)),
		"cross.json":    osv("GHSA-cross", "", affects("npm", "x", events("SEMVER", "introduced 0")), affects("RubyGems", "x", events("ECOSYSTEM", "introduced 0"))),
	})
	for _, c := range []struct {
		name, ecosystem, pkg, version, ids string
		want                               error
	}{
		{"a range that cannot be ordered", "npm", "bad-range", "1.0.0", "", ErrVersion},
		{"a kind of range that nobody knows", "npm", "new-kind", "1.0.0", "", ErrVersion},
		{"git commits alone", "npm", "git-only", "1.0.0", "", ErrNotMatchable},
		{"a package without versions", "npm", "nothing-said", "1.0.0", "", ErrNotMatchable},
		{"a component without a version", "npm", "ok", "", "", ErrVersion},
		{"a component from a git address", "npm", "ok", "git+https://example.org/a", "", ErrVersion},
		{"a hit beside what cannot be judged", "npm", "mixed", "1.0.0", "GHSA-mixed-2", ErrVersion},
		{"a list of versions, and a version of another kind", "PyPI", "listed", "main", "", ErrVersion},
		{"an ecosystem without order", "Homebrew", "wget", "1", "", ErrVersion},
		{"an ecosystem without data", "Maven", "g:a", "1", "", ErrNotCovered},
		{"an ecosystem that only strays in beside another", "RubyGems", "x", "1", "GHSA-cross", ErrNotCovered},
		{"a release of a distribution without data", "Debian:12", "curl", "1", "", ErrNotCovered},
		{"all versions, whatever the component's looks like", "npm", "evil", "git+https://example.org/a", "MAL-2026-1", nil},
		{"git commits beside a range", "npm", "git-too", "1.0.0", "GHSA-both", nil},
		{"a list in an ecosystem without order", "Homebrew", "curl", "8.1", "BREW-2", nil},
		{"another version of that list", "Homebrew", "curl", "8.2", "", nil},
		{"a strange version of a package that nobody warns of", "npm", "unheard-of", "next", "", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			hits, err := x.Match(verdict.Component{Ecosystem: c.ecosystem, Name: c.pkg, Version: c.version})
			if ids(hits) != c.ids || !errors.Is(err, c.want) || hits == nil {
				t.Fatalf("got %v, %v; want %q, %v", hits, err, c.ids, c.want)
			}
			if c.want == nil {
				return
			}
			var u *UnjudgedError
			if !errors.As(err, &u) || u.Component.Name != c.pkg || !strings.Contains(err.Error(), c.pkg) {
				t.Errorf("the error does not name what was not judged: %v", err)
			}
			if c.want != ErrNotCovered && len(u.Advisories) == 0 {
				t.Errorf("the error names no advisory: %+v", u)
			}
		})
	}
}

func TestWithdrawnAndSupersededRecordsAreNoHits(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	range0 := affects("npm", "a", events("SEMVER", "introduced 0"))
	record := func(id, modified, more string) string {
		return fmt.Sprintf(`{"id":%q,"modified":%q,%s"affected":[%s]}`, id, modified, more, range0)
	}
	mustImport(t, folder(t, map[string]string{
		"1.json": record("GHSA-old", "2026-01-01T00:00:00Z", ""),
		"2.json": record("GHSA-gone", "2026-01-01T00:00:00Z", `"withdrawn":"2026-01-01T00:00:00Z",`),
		"3.json": record("GHSA-later", "2026-01-01T00:00:00Z", `"withdrawn":"2027-01-01T00:00:00Z",`),
		"4.json": record("GHSA-undated", "", ""),
		"5.json": record("GHSA-mirror", "2026-05-01T00:00:00Z", ""),
	}), dst, ImportOptions{Name: "one"})
	mustImport(t, folder(t, map[string]string{
		"1.json": record("GHSA-old", "2026-06-01T00:00:00Z", `"withdrawn":"2026-06-01T00:00:00Z",`),
		"4.json": record("GHSA-undated", "2026-06-01T00:00:00Z", `"withdrawn":"2026-06-01T00:00:00Z",`),
		"5.json": record("GHSA-mirror", "2026-04-01T00:00:00Z", `"withdrawn":"2026-04-01T00:00:00Z",`),
	}), dst, ImportOptions{Name: "two"})
	got := ids(match(t, mustOpen(t, dst), "npm", "a", "1.0.0"))
	if want := "GHSA-later GHSA-mirror GHSA-undated"; got != want {
		t.Errorf("got %q, want %q: the newer state of a record counts, and a record without time stands", got, want)
	}
}

func TestAWithdrawnRecordJoinsNothing(t *testing.T) {
	all := affects("npm", "a", events("SEMVER", "introduced 0"))
	x := imported(t, map[string]string{
		"1.json": osv("GHSA-1", `"aliases":["CVE-2026-0001"]`, all),
		"2.json": osv("GHSA-2", `"aliases":["CVE-2026-0002"]`, all),
		"3.json": osv("GHSA-3", `"aliases":["CVE-2026-0001","CVE-2026-0002"],"withdrawn":"2026-01-01T00:00:00Z"`, all),
	})
	if got := ids(match(t, x, "npm", "a", "1.0.0")); got != "CVE-2026-0001 CVE-2026-0002" {
		t.Errorf("got %q: a record that was taken back made one fault of two", got)
	}
}

func TestMaliciousExploitedAndLikely(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	all := events("SEMVER", "introduced 0")
	mustImport(t, folder(t, map[string]string{
		"1.json": osv("MAL-2026-1", "", affects("npm", "evil", all)),
		"2.json": osv("GHSA-2", `"aliases":["MAL-2026-2"]`, affects("npm", "alias", all)),
		"3.json": osv("GHSA-3", `"database_specific":{"malicious-packages-origins":[{"source":"x"}]}`, affects("npm", "origin", all)),
		"4.json": osv("GHSA-4", `"aliases":["CVE-2026-4000"],"database_specific":{"severity":"MODERATE"}`, affects("npm", "plain", all)),
		"5.json": osv("GHSA-5", `"database_specific":"text where others have an object"`, affects("npm", "odd", `"database_specific":[1,2],`+all)),
		"6.json": osv("RUSTSEC-6", "", affects("crates.io", "old", `"database_specific":{"informational":"unmaintained","cvss":null},`+all)),
		"7.json": osv("GHSA-7", `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:N/AC:L/PR:N/UI:N/S:U/C:H/I:H/A:H"}]`,
			affects("npm", "lower", `"severity":[{"type":"CVSS_V3","score":"CVSS:3.1/AV:P/AC:H/PR:H/UI:R/S:U/C:L/I:N/A:N"}],`+all)),
	}), dst, ImportOptions{})
	if v := match(t, mustOpen(t, dst), "npm", "plain", "1.0.0")[0]; v.Exploited || v.EPSS != -1 || mustOpen(t, dst).KnowsExploited() {
		t.Errorf("without catalogues: %+v", v)
	}
	dir := folder(t, map[string]string{
		"kev.json": `{"title":"x","catalogVersion":"2026.11.01","dateReleased":"2026-11-01T15:00:00.0000Z","vulnerabilities":[{"cveID":"CVE-2026-4000"},{"cveID":"CVE-2020-0001"}]}`,
		"epss.csv": "#model_version:v2025.03.14,score_date:2026-11-02T00:00:00Z\ncve,epss,percentile\nCVE-2026-4000,0.97565,0.99\nCVE-2020-0001,0.0000004,0.1\n",
	})
	mustImport(t, filepath.Join(dir, "kev.json"), dst, ImportOptions{})
	mustImport(t, filepath.Join(dir, "epss.csv"), dst, ImportOptions{})
	x := mustOpen(t, dst)
	for _, c := range []struct {
		ecosystem, pkg       string
		malicious, exploited bool
		epss                 int64
		severity             verdict.Severity
	}{
		{"npm", "evil", true, false, -1, "unknown"},
		{"npm", "alias", true, false, -1, "unknown"},
		{"npm", "origin", true, false, -1, "unknown"},
		{"npm", "plain", false, true, 975650, "medium"},
		{"npm", "odd", false, false, -1, "unknown"},
		{"crates.io", "old", false, false, -1, "info"},
		{"npm", "lower", false, false, -1, "low"},
	} {
		hits := match(t, x, c.ecosystem, c.pkg, "1.0.0")
		if len(hits) != 1 {
			t.Fatalf("%s: %v", c.pkg, hits)
		}
		if v := hits[0]; v.Malicious != c.malicious || v.Exploited != c.exploited || v.EPSS != c.epss || v.Severity != c.severity {
			t.Errorf("%s: %+v", c.pkg, v)
		}
	}
	if !x.KnowsExploited() {
		t.Error("the catalogue was imported, and the index does not know")
	}
}
