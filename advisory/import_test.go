package advisory

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"verdict"
)

const yamlRecord = `
id: PYSEC-2026-1
modified: "2026-10-10T17:22:00.587279Z"
aliases: [CVE-2026-0001]
details: |
  Something
  is wrong.
affected:
- package: {name: Foo, ecosystem: PyPI}
  ranges:
  - type: ECOSYSTEM
    events:
    - introduced: 0
    - fixed: 1.10
  versions: [1.0, 1.2]
`

func simple(id, pkg string) string {
	return osv(id, "", affects("npm", pkg, events("SEMVER", "introduced 0 fixed 2.0.0")))
}

type entry struct{ name, body string }

func zipped(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		w, err := z.Create(e.name)
		if err == nil {
			_, err = w.Write([]byte(e.body))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func tarred(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o644, Size: int64(len(e.body)), Typeflag: tar.TypeReg}
		if target, ok := strings.CutPrefix(e.body, "-> "); ok {
			h.Typeflag, h.Linkname, h.Size, e.body = tar.TypeSymlink, target, 0, ""
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(e.body)); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func file(t testing.TB, name string, b []byte) string {
	t.Helper()
	p := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(p, b, 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestEveryFormOfASource(t *testing.T) {
	entries := []entry{{"a/one.json", simple("GHSA-1", "a")}, {"two.yaml", yamlRecord}, {"README.md", "no record"}, {".github/x.yml", "on: push"}}
	for name, src := range map[string]string{
		"a folder":                    folder(t, map[string]string{"a/one.json": entries[0].body, "two.yaml": yamlRecord, "README.md": "", ".git/x.json": "{"}),
		"a zip":                       file(t, "all.zip", zipped(t, entries...)),
		"a tar.gz":                    file(t, "all.tar.gz", tarred(t, entries...)),
		"a tar":                       file(t, "all.tar", gunzip(t, tarred(t, entries...))),
		"a zip under a strange name":  file(t, "download", zipped(t, entries...)),
		"names that climb out":        file(t, "all.zip", zipped(t, entry{"../../../../tmp/evil/one.json", entries[0].body}, entry{"/abs/two.yaml", yamlRecord})),
		"a link in a tar is no entry": file(t, "all.tar.gz", tarred(t, append(entries, entry{"link.json", "-> /etc/passwd"})...)),
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "deep", "er", "x")
			done := mustImport(t, src, dst, ImportOptions{Name: "n"})
			if c := done.Source.Counts; c.Records != 2 || c.Unreadable != 0 || len(done.Skipped) != 0 {
				t.Errorf("counts %+v, skipped %v", c, done.Skipped)
			}
			if !slices.Equal(done.Source.Covers, []string{"PyPI", "npm"}) {
				t.Errorf("covers %v", done.Source.Covers)
			}
			x := mustOpen(t, dst)
			if a, b := ids(match(t, x, "npm", "a", "1.0.0")), ids(match(t, x, "PyPI", "foo", "1.9")); a != "GHSA-1" || b != "CVE-2026-0001" {
				t.Errorf("matched %q and %q", a, b)
			}
			if got := match(t, x, "PyPI", "foo", "1.10"); len(got) != 0 {
				t.Errorf("a number of YAML lost its last zero: %v", got)
			}
			if err := x.Verify(); err != nil {
				t.Error(err)
			}
		})
	}
	t.Run("one record", func(t *testing.T) {
		dst := filepath.Join(t.TempDir(), "x")
		if done := mustImport(t, file(t, "two.yaml", []byte(yamlRecord)), dst, ImportOptions{}); done.Source.Name != "two" || done.Source.Counts.Records != 1 {
			t.Errorf("%+v", done.Source)
		}
		if v := match(t, mustOpen(t, dst), "PyPI", "foo", "1.0")[0]; v.Summary != "Something is wrong." {
			t.Errorf("summary %q", v.Summary)
		}
	})
}

func gunzip(t testing.TB, b []byte) []byte {
	t.Helper()
	r, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestSourcesAddUpAndReplaceThemselves(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	check := func(want map[string]string) {
		t.Helper()
		x := mustOpen(t, dst)
		if err := x.Verify(); err != nil {
			t.Fatal(err)
		}
		for pkg, id := range want {
			if got := ids(match(t, x, "npm", pkg, "1.0.0")); got != id {
				t.Errorf("%s: %q, want %q", pkg, got, id)
			}
		}
	}
	one := folder(t, map[string]string{"1.json": simple("GHSA-1", "a"), "2.json": simple("GHSA-2", "b")})
	two := folder(t, map[string]string{"3.json": simple("GHSA-3", "b"), "4.json": simple("GHSA-4", "c")})
	mustImport(t, one, dst, ImportOptions{Name: "one"})
	mustImport(t, two, dst, ImportOptions{Name: "two"})
	check(map[string]string{"a": "GHSA-1", "b": "GHSA-2 GHSA-3", "c": "GHSA-4"})
	first := mustOpen(t, dst).Database()

	next := folder(t, map[string]string{"1.json": simple("GHSA-9", "a"), "2.json": simple("GHSA-2", "d")})
	old := mustOpen(t, dst)
	mustImport(t, next, dst, ImportOptions{Name: "one"})
	check(map[string]string{"a": "GHSA-9", "b": "GHSA-3", "c": "GHSA-4", "d": "GHSA-2"})
	if got := ids(match(t, old, "npm", "a", "1.0.0")); got != "GHSA-1" {
		t.Errorf("an index that is open changed under its reader: %q", got)
	}
	mustImport(t, one, dst, ImportOptions{Name: "one"})
	check(map[string]string{"a": "GHSA-1", "b": "GHSA-2 GHSA-3", "c": "GHSA-4", "d": ""})
	again := mustOpen(t, dst).Database()
	if again.Digest != first.Digest || again.Entries != 4 {
		t.Errorf("the same data in another order of imports has digest %s and %d entries, before %s and %d",
			again.Digest.Short(), again.Entries, first.Digest.Short(), first.Entries)
	}
	left, err := filepath.Glob(dst + "*")
	if err != nil || len(left) != 2 {
		t.Errorf("beside index and lock lies %v", left)
	}
	if err := Forget(t.Context(), dst, "two"); err != nil {
		t.Fatal(err)
	}
	check(map[string]string{"a": "GHSA-1", "b": "GHSA-2", "c": ""})
	if s := mustOpen(t, dst).Sources(); len(s) != 1 || s[0].Name != "one" {
		t.Errorf("sources after one was forgotten: %v", s)
	}
	if err := Forget(t.Context(), dst, "two"); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("forgotten twice: %v", err)
	}
}

func TestForgettingACatalogueTakesItsFactsOut(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	mustImport(t, folder(t, map[string]string{"1.json": osv("CVE-2026-4000", "", affects("npm", "a", events("SEMVER", "introduced 0")))}), dst, ImportOptions{Name: "s"})
	mustImport(t, file(t, "kev.json", []byte(`{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2026-4000"}]}`)), dst, ImportOptions{})
	if v := match(t, mustOpen(t, dst), "npm", "a", "1.0.0")[0]; !v.Exploited {
		t.Fatalf("%+v", v)
	}
	if err := Forget(t.Context(), dst, "kev"); err != nil {
		t.Fatal(err)
	}
	x := mustOpen(t, dst)
	if v := match(t, x, "npm", "a", "1.0.0")[0]; v.Exploited || x.KnowsExploited() {
		t.Errorf("%+v", v)
	}
}

func TestTheWholeIsAsOldAsItsOldestPart(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	old, fresh := today.AddDate(0, 0, -9), today.AddDate(0, 0, -1)
	npm := folder(t, map[string]string{"1.json": simple("GHSA-1", "a")})
	pypi := folder(t, map[string]string{"1.yaml": yamlRecord})
	mustImport(t, npm, dst, ImportOptions{Name: "npm", AsOf: fresh})
	mustImport(t, pypi, dst, ImportOptions{Name: "pypi", AsOf: old})
	mustImport(t, file(t, "epss.csv", []byte("#model_version:v1,score_date:2020-01-01T00:00:00Z\ncve,epss,percentile\nCVE-2026-0001,0.5,0.5\n")), dst, ImportOptions{AsOf: old.AddDate(-5, 0, 0)})
	x := mustOpen(t, dst)
	if d := x.Database(); !d.At.Equal(old) || !slices.Equal(d.Ecosystems, []string{"PyPI", "npm"}) || d.Entries != 2 || d.Name != "osv" {
		t.Errorf("Database: %+v", d)
	}
	if d := x.DatabaseFor("npm"); !d.At.Equal(fresh) || !slices.Equal(d.Ecosystems, []string{"npm"}) || d.Entries != 1 {
		t.Errorf("DatabaseFor npm: %+v", d)
	}
	if d := x.DatabaseFor("Maven"); !d.At.IsZero() || len(d.Ecosystems) != 0 || d.Ecosystems == nil {
		t.Errorf("DatabaseFor an ecosystem without data: %+v", d)
	}
	if !x.Covers("npm") || x.Covers("Maven") || x.Covers("") {
		t.Error("Covers is wrong")
	}
}

func TestAnOldArchiveDoesNotBecomeFreshByBeingImported(t *testing.T) {
	month := today.AddDate(0, -1, 0)
	for _, c := range []struct {
		name       string
		file, asOf time.Time
		want       time.Time
	}{
		{"the file's time counts", today.AddDate(0, 0, -5), time.Time{}, today.AddDate(0, 0, -5)},
		{"unless its records are newer", month, time.Time{}, time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)},
		{"what the operator states goes first", month, today.AddDate(0, 0, -2), today.AddDate(0, 0, -2)},
		{"and nothing is from tomorrow", today.AddDate(0, 0, 1), time.Time{}, today},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := file(t, "a.zip", zipped(t, entry{"1.json", simple("GHSA-1", "a")}))
			if err := os.Chtimes(src, c.file, c.file); err != nil {
				t.Fatal(err)
			}
			s := mustImport(t, src, filepath.Join(t.TempDir(), "x"), ImportOptions{AsOf: c.asOf}).Source
			if !s.Confirmed.Equal(c.want) || !s.Imported.Equal(today) || !s.Modified.Equal(time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)) {
				t.Errorf("confirmed %v (want %v), imported %v, modified %v", s.Confirmed, c.want, s.Imported, s.Modified)
			}
		})
	}
}

// many gives n good entries.
func many(n int) []entry {
	out := make([]entry, n)
	for i := range out {
		out[i] = entry{fmt.Sprintf("%d.json", i), simple(fmt.Sprintf("GHSA-%d", i), fmt.Sprintf("p%d", i))}
	}
	return out
}

func TestRecordsThatCannotBeReadAreCountedAndNamed(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000)
	aliases := "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n"
	for i := 1; i < 12; i++ {
		aliases += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d,", i-1), 10), ","))
	}
	for name, bad := range map[string]entry{
		"no JSON":                        {"x.json", "{"},
		"an empty file":                  {"x.json", ""},
		"a list":                         {"x.json", "[]"},
		"an id that is a number":         {"x.json", `{"id":1}`},
		"no id":                          {"x.json", `{"modified":"2026-01-01T00:00:00Z"}`},
		"an id with a newline":           {"x.json", osv("GHSA-\n::error::", "")},
		"an id without end":              {"x.json", osv(strings.Repeat("A", maxID+1), "")},
		"a time that is none":            {"x.json", `{"id":"A","modified":"yesterday"}`},
		"affected of a wrong type":       {"x.json", `{"id":"A","affected":{}}`},
		"an event of a wrong type":       {"x.json", osv("A", "", affects("npm", "a", `"ranges":[{"type":"SEMVER","events":[{"introduced":0}]}]`))},
		"a version with control bytes":   {"x.json", osv("A", "", affects("npm", "a", `"versions":["1\u001b[31m"]`))},
		"a name without end":             {"x.json", osv("A", "", affects("npm", strings.Repeat("a", maxName+1), `"versions":["1"]`))},
		"more aliases than anybody has":  {"x.json", osv("A", `"aliases":["B`+strings.Repeat(`","B`, maxAliases)+`"]`)},
		"JSON nested 100,000 deep":       {"x.json", deep},
		"YAML nested 100,000 deep":       {"x.yaml", strings.Repeat("[", 100_000)},
		"a record of 50 MB":              {"x.json", osv("A", `"details":"`+strings.Repeat("a", 50<<20)+`"`)},
		"a million members":              {"x.json", `{"id":"A","affected":[` + strings.Repeat("null,", 1_000_000) + `null]}`},
		"YAML that multiplies itself":    {"x.yaml", aliases + "id: A\naffected: *a11\n"},
		"YAML beyond its smaller limit":  {"x.yaml", yamlRecord + strings.Repeat("# comment\n", 110_000)},
		"YAML that is no text":           {"x.yml", "id: \xff\xfe"},
		"two YAML tags that do not fit":  {"x.yaml", "id: !!map {}\n"},
		"a name in the archive with ESC": {"\x1b[31m.json", "{"},
	} {
		t.Run(name, func(t *testing.T) {
			src := file(t, "all.zip", zipped(t, append(many(100), bad)...))
			done := mustImport(t, src, filepath.Join(t.TempDir(), "x"), ImportOptions{})
			if c := done.Source.Counts; c.Unreadable != 1 || c.Records != 100 {
				t.Fatalf("counts: %+v", c)
			}
			if len(done.Skipped) != 1 || done.Skipped[0].Name != bad.name || done.Skipped[0].Reason == "" {
				t.Errorf("skipped: %.300v", done.Skipped)
			}
		})
	}
}

func TestRecordsThatMatchNothingAreCountedApart(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	done := mustImport(t, folder(t, map[string]string{
		"1.json": simple("GHSA-1", "a"),
		"2.json": osv("GHSA-none", ""),
		"3.json": `{"id":"OSV-git","affected":[{"ranges":[{"type":"GIT","events":[{"introduced":"0"}]}]}]}`,
		"4.json": osv("GHSA-git", "", affects("npm", "g", events("GIT", "introduced 0"))),
		"5.json": osv("GHSA-bad", "", affects("npm", "b", events("SEMVER", "introduced x"))),
		"6.json": osv("GHSA-gone", `"withdrawn":"2026-01-01T00:00:00Z"`, affects("npm", "w", events("SEMVER", "introduced 0"))),
		"7.json": strings.Replace(simple("GHSA-1", "z"), "2026-11-01", "2026-10-01", 1),
	}), dst, ImportOptions{})
	want := Tally{Records: 4, Withdrawn: 1, Duplicates: 1, NoPackage: 2, GitRanges: 1, BadRanges: 1, NotMatchable: 1}
	if done.Source.Counts != want {
		t.Errorf("counts %+v, want %+v", done.Source.Counts, want)
	}
	if got := done.Source.PerEcosystem["npm"]; got != 4 {
		t.Errorf("%d postings of npm", got)
	}
	x := mustOpen(t, dst)
	if a, z := ids(match(t, x, "npm", "a", "1.0.0")), ids(match(t, x, "npm", "z", "1.0.0")); a != "GHSA-1" || z != "" {
		t.Errorf("of two records with one id the newer one counts; got %q and %q", a, z)
	}
}

func TestASourceThatCannotBeTrustedChangesNothing(t *testing.T) {
	good := zipped(t, many(100)...)
	tgz := tarred(t, many(100)...)
	flipped := bytes.Clone(tgz)
	flipped[len(flipped)/2] ^= 0x40
	torn := bytes.Clone(good)
	for i := range 150 { // the data of one record at least
		torn[len(torn)/4+i] ^= 0x40
	}
	badSum := bytes.Clone(tgz)
	badSum[len(badSum)-6] ^= 1
	var bad []entry
	for i := range 5 {
		bad = append(bad, entry{fmt.Sprintf("bad%d.json", i), "{"})
	}
	for name, c := range map[string]struct {
		body []byte
		file string
		code verdict.Code
	}{
		"a zip that ends early":                    {good[:len(good)/2], "a.zip", verdict.CodeInvalid},
		"a tar.gz that ends early":                 {tgz[:len(tgz)/2], "a.tar.gz", verdict.CodeInvalid},
		"a tar.gz without its last bytes":          {tgz[:len(tgz)-5], "a.tar.gz", verdict.CodeInvalid},
		"a zip with one torn record":               {torn, "a.zip", verdict.CodeInvalid},
		"a tar.gz with a flipped bit":              {flipped, "a.tar.gz", verdict.CodeInvalid},
		"a tar.gz whose checksum is wrong":         {badSum, "a.tar.gz", verdict.CodeInvalid},
		"five of a hundred records are unreadable": {zipped(t, append(many(95), bad...)...), "a.zip", verdict.CodeInvalid},
		"an archive without records":               {zipped(t, entry{"README.md", "x"}), "a.zip", verdict.CodeInvalid},
		"an empty zip":                             {zipped(t), "a.zip", verdict.CodeInvalid},
		"an empty file":                            {nil, "a.zip", verdict.CodeInvalid},
		"a picture":                                {[]byte("\x89PNG\r\n\x1a\n"), "a.png", verdict.CodeInvalid},
		"half of what it had":                      {zipped(t, many(50)...), "a.zip", verdict.CodeInvalid},
		"a gzip bomb":                              {bomb(t, 300<<20), "a.tar.gz", verdict.CodeLimit},
		"a zip bomb":                               {zipBomb(t, 30), "a.zip", verdict.CodeLimit},
		"KEV under the name of advisories":         {[]byte(`{"catalogVersion":"1","vulnerabilities":[{"cveID":"CVE-2020-0001"}]}`), "a.json", verdict.CodeConflict},
	} {
		t.Run(name, func(t *testing.T) {
			dst := filepath.Join(t.TempDir(), "x")
			mustImport(t, file(t, "good.zip", good), dst, ImportOptions{Name: "s"})
			before, err := os.ReadFile(dst)
			if err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			done, err := Import(t.Context(), file(t, c.file, c.body), dst, ImportOptions{Name: "s", Now: clock})
			if e := verdict.AsError(err); e == nil || e.Code != c.code || e.Remedy == "" || strings.Contains(e.Remedy, "defect") {
				t.Errorf("imported %+v with error %v (want %s)", done, err, c.code)
			}
			if d := time.Since(start); d > 20*time.Second {
				t.Errorf("it took %v to refuse", d)
			}
			if after, err := os.ReadFile(dst); err != nil || !bytes.Equal(before, after) {
				t.Errorf("the index changed (%v)", err)
			}
		})
	}
	t.Run("half of what it had, by force", func(t *testing.T) {
		dst := filepath.Join(t.TempDir(), "x")
		mustImport(t, file(t, "good.zip", good), dst, ImportOptions{Name: "s"})
		if done := mustImport(t, file(t, "a.zip", zipped(t, many(50)...)), dst, ImportOptions{Name: "s", Force: true}); done.Source.Counts.Records != 50 {
			t.Errorf("%+v", done.Source)
		}
	})
}

// bomb is a tar.gz of one file of n zeros, which is no record.
func bomb(t *testing.T, n int64) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	w := tar.NewWriter(g)
	err := w.WriteHeader(&tar.Header{Name: "zeros.bin", Size: n, Mode: 0o644})
	for zero := make([]byte, 1<<20); err == nil && n > 0; n -= int64(len(zero)) {
		_, err = w.Write(zero)
	}
	if err = errors.Join(err, w.Close(), g.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// zipBomb has n entries that are one and the same compressed record of 15 MB.
func zipBomb(t *testing.T, n int) []byte {
	t.Helper()
	var b, packed bytes.Buffer
	body := []byte(osv("A", `"details":"`+strings.Repeat("a", 15<<20)+`"`))
	sub := zip.NewWriter(&packed)
	w, err := sub.Create("x.json")
	if err == nil {
		_, err = w.Write(body)
	}
	if err = errors.Join(err, sub.Close()); err != nil {
		t.Fatal(err)
	}
	r, err := zip.NewReader(bytes.NewReader(packed.Bytes()), int64(packed.Len()))
	if err != nil {
		t.Fatal(err)
	}
	z := zip.NewWriter(&b)
	for i := range n {
		h := r.File[0].FileHeader
		h.Name, h.CRC32 = fmt.Sprintf("%d.json", i), crc32.ChecksumIEEE(body)
		raw, err := r.File[0].OpenRaw()
		if err != nil {
			t.Fatal(err)
		}
		w, err := z.CreateRaw(&h)
		if err == nil {
			_, err = io.Copy(w, raw)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// An archive of one ecosystem that is taken for another's would make each package of that
// look clean.
func TestAnArchiveOfTheWrongEcosystemIsRefused(t *testing.T) {
	dir := t.TempDir()
	src, dst := filepath.Join(dir, "a.zip"), filepath.Join(dir, "index")
	if err := os.WriteFile(src, zipped(t, many(3)...), 0o600); err != nil {
		t.Fatal(err)
	}
	for covers, refused := range map[string]bool{"Maven": true, "NPM": true, "npm": false} {
		_, err := Import(t.Context(), src, dst, ImportOptions{Covers: []string{covers}})
		if e := verdict.AsError(err); refused != (err != nil) || refused && (e.Code != verdict.CodeInvalid || !strings.Contains(e.What, covers)) {
			t.Errorf("records of npm as %s: %v", covers, err)
		}
	}
}

func TestWhatLiesInAFolderBesideRecords(t *testing.T) {
	dir := folder(t, map[string]string{"1.json": simple("GHSA-1", "a")})
	secret := file(t, "secret.json", []byte(simple("GHSA-secret", "a")))
	for i := range 160 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("n%d.json", i)), []byte(simple(fmt.Sprintf("GHSA-n%d", i), "n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink(secret, filepath.Join(dir, "link.json")), os.Symlink("1.json", filepath.Join(dir, "inside.json"))); err != nil {
		t.Fatal(err)
	}
	dst := filepath.Join(t.TempDir(), "x")
	done := mustImport(t, dir, dst, ImportOptions{Name: "s"})
	if c := done.Source.Counts; c.Records != 161 || c.Unreadable != 2 || c.Duplicates != 0 {
		t.Errorf("counts %+v, skipped %v", c, done.Skipped)
	}
	if got := ids(match(t, mustOpen(t, dst), "npm", "a", "1.0.0")); got != "GHSA-1" {
		t.Errorf("a link out of the folder was read: %q", got)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo.json"), 0o644); err != nil {
		t.Fatal(err)
	}
	if c := mustImport(t, dir, dst, ImportOptions{Name: "s"}).Source.Counts; c.Records != 161 || c.Unreadable != 3 {
		t.Errorf("with a FIFO that nobody writes to: %+v", c)
	}
	if _, err := Import(t.Context(), filepath.Join(dir, "fifo.json"), dst, ImportOptions{}); verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("a FIFO as source: %v", err)
	}
	if _, err := Import(t.Context(), filepath.Join(dir, "nowhere"), dst, ImportOptions{}); verdict.AsError(err).Code != verdict.CodeNotFound {
		t.Errorf("a source that is not there: %v", err)
	}
}

func TestImportsWaitForEachOtherAndGiveUpWithTheirContext(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	src := folder(t, map[string]string{"1.json": simple("GHSA-1", "a")})
	unlock, err := lockIndex(t.Context(), dst)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := Import(ctx, src, dst, ImportOptions{Now: clock}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Import beside another: %v", err)
	}
	if err := os.WriteFile(dst+".123.new", []byte("half"), 0o644); err != nil {
		t.Fatal(err)
	}
	unlock()
	mustImport(t, src, dst, ImportOptions{})
	if left, _ := filepath.Glob(dst + ".*.new"); len(left) != 0 {
		t.Errorf("what a crashed import left is still there: %v", left)
	}
	cancelled, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Import(cancelled, src, dst, ImportOptions{Now: clock}); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled import: %v", err)
	}
}

func TestAFullDiskLeavesTheIndexOfBefore(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a full disk is a small tmpfs here, and only root may mount one")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("tmpfs cannot be mounted here: %v", err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	dst := filepath.Join(dir, "x")
	mustImport(t, folder(t, map[string]string{"1.json": simple("GHSA-1", "a")}), dst, ImportOptions{Name: "one"})
	_, err := Import(t.Context(), file(t, "a.zip", zipped(t, many(3000)...)), dst, ImportOptions{Name: "two", Now: clock})
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "free disk space") {
		t.Errorf("a full disk gave %v", err)
	}
	if got := ids(match(t, mustOpen(t, dst), "npm", "a", "1.0.0")); got != "GHSA-1" {
		t.Errorf("the index of before gives %q", got)
	}
	if left, _ := filepath.Glob(dst + ".*.new"); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func gzipped(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	g := gzip.NewWriter(&b)
	_, err := g.Write([]byte(s))
	if err = errors.Join(err, g.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
