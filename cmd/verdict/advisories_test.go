package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// osvRecord is one advisory about a package.
func osvRecord(id, ecosystem, name string) string {
	return fmt.Sprintf(`{"id":%q,"modified":"2026-05-01T00:00:00Z","affected":[{"package":{"ecosystem":%q,"name":%q},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"1.2.3"}]}]}]}`, id, ecosystem, name)
}

// zipOf and tarOf make archives; a body is written as often as its count says.
type member struct {
	name, body string
	times      int
}

func zipOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.Create(m.name)
		for range max(m.times, 1) {
			if err == nil {
				_, err = io.WriteString(w, m.body)
			}
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

func tarOf(t *testing.T, members ...member) []byte {
	t.Helper()
	var b bytes.Buffer
	gz := gzip.NewWriter(&b)
	w := tar.NewWriter(gz)
	for _, m := range members {
		err := w.WriteHeader(&tar.Header{Name: m.name, Mode: 0o600, Size: int64(len(m.body) * max(m.times, 1))})
		for range max(m.times, 1) {
			if err == nil {
				_, err = io.WriteString(w, m.body)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := gz.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// manyRecords fills an archive, so that what is cut off is more than its end.
func manyRecords(ecosystem string, n int) []member {
	var out []member
	for i := range n {
		out = append(out, member{name: fmt.Sprintf("R-%04d.json", i), body: osvRecord(fmt.Sprintf("R-%04d", i), ecosystem, fmt.Sprintf("package-%d", i))})
	}
	return out
}

func put(t *testing.T, path string, data []byte) string {
	t.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// A damaged or hostile archive ends with an error and a remedy, and what was known
// before stays as it was.
func TestABadArchiveChangesNothing(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	s := shell{env: []string{"HOME=" + home}, extra: []command{advisoriesCommand()}}
	good := put(t, filepath.Join(dir, "good.zip"), zipOf(t, manyRecords("npm", 50)...))
	if code, _, stderr := s.run(t, "advisories", "import", good); code != 0 {
		t.Fatal(stderr)
	}
	index := filepath.Join(home, ".local", "share", "verdict", advisoryFile)
	before, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	whole, packed := zipOf(t, manyRecords("npm", 300)...), tarOf(t, manyRecords("npm", 300)...)
	flipped := bytes.Clone(whole)
	for i := range 200 { // at least one record's data is among them
		flipped[len(flipped)/4+i] ^= 0xff
	}
	zeros := strings.Repeat("\x00", 1<<20)
	for _, c := range []struct {
		name string
		data []byte
	}{
		{"cut.zip", whole[:len(whole)/2]},
		{"cut.tar.gz", packed[:len(packed)/2]},
		{"flipped.zip", flipped},
		{"bomb.zip", zipOf(t, member{"a.json", zeros, 80})},
		{"bomb.tar.gz", tarOf(t, member{"a.json", zeros, 80})},
		{"deep.zip", zipOf(t, member{"a.json", strings.Repeat(`{"a":`, 100_000) + strings.Repeat("}", 100_000), 1})},
		{"shrunk/good.zip", zipOf(t, manyRecords("npm", 20)...)},
		{"nothing.zip", zipOf(t)},
		{"text.gz", []byte("\x1f\x8bthis is no gzip file")},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(dir, c.name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := s.run(t, "advisories", "import", put(t, path, c.data))
			if code != 1 || stdout != "" || !strings.HasPrefix(stderr, "verdict: ") || !strings.Contains(stderr, "\n  fix: ") || strings.Contains(stderr, "defect") {
				t.Errorf("exit %d: %s%s", code, stdout, stderr)
			}
			if after, err := os.ReadFile(index); err != nil || !bytes.Equal(after, before) {
				t.Errorf("the index is another one (%v)", err)
			}
		})
	}
	if code, _, stderr := s.run(t, "advisories", "import", filepath.Join(dir, "shrunk", "good.zip"), "--force"); code != 0 {
		t.Errorf("--force does not take what its publisher took back: %s", stderr)
	}
}

// Wherever a bit of the index flips, list says so and never shows what is left.
func TestADamagedIndexIsNeverListed(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	s := shell{env: []string{"HOME=" + home}, extra: []command{advisoriesCommand()}}
	if code, _, stderr := s.run(t, "advisories", "import", put(t, filepath.Join(dir, "a.zip"), zipOf(t, manyRecords("npm", 20)...))); code != 0 {
		t.Fatal(stderr)
	}
	index := filepath.Join(home, ".local", "share", "verdict", advisoryFile)
	whole, err := os.ReadFile(index)
	if err != nil {
		t.Fatal(err)
	}
	damage := map[string][]byte{"cut short": whole[:len(whole)/2], "empty": {}, "longer": append(bytes.Clone(whole), 0)}
	for i := range 24 {
		b := bytes.Clone(whole)
		at := i * (len(b) - 1) / 23
		b[at] ^= 0x10
		damage[fmt.Sprintf("byte %d of %d", at, len(b))] = b
	}
	for name, b := range damage {
		put(t, index, b)
		code, stdout, stderr := s.run(t, "advisories", "list")
		if code != 1 || stdout != "" || !strings.Contains(stderr, "advisories.idx cannot be used") || !strings.Contains(stderr, "import your archives again") {
			t.Errorf("%s: exit %d: %s%s", name, code, stdout, stderr)
		}
	}
	put(t, index, whole)
	if code, _, stderr := s.run(t, "advisories", "list"); code != 0 {
		t.Errorf("the whole one: %s", stderr)
	}
}

// updated is what a person's tools read of an update.
type updated struct {
	Sources []struct {
		Name, State string
		Covers      []string
		Bytes       int64
	}
	Failed []struct{ Source, What, Remedy string }
}

func TestAnUpdateFetchesWhatChangedAndTellsWhatFailed(t *testing.T) {
	archives := map[string][]byte{"/npm/all.zip": zipOf(t, manyRecords("npm", 30)...), "/Go/all.zip": zipOf(t, manyRecords("Go", 30)...)}
	asked := 0
	publisher := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked++
		body, ok := archives[r.URL.Path]
		etag := fmt.Sprintf(`"%s-%d"`, strings.Trim(strings.ReplaceAll(r.URL.Path, "/", "-"), "-"), len(body))
		switch {
		case !ok:
			http.NotFound(w, r)
		case r.Header.Get("If-None-Match") == etag:
			w.WriteHeader(http.StatusNotModified)
		default:
			w.Header().Set("ETag", etag)
			_, _ = w.Write(body) // a client that went away is its own test
		}
	}))
	defer publisher.Close()
	s := shell{env: []string{"HOME=" + t.TempDir()}, extra: []command{advisoriesCommand()}}
	run := func(want int, args ...string) (u updated, stderr string) {
		t.Helper()
		code, stdout, stderr := s.run(t, append([]string{"advisories", "update", "--url", publisher.URL, "-o", "json"}, args...)...)
		if code != want {
			t.Fatalf("exit %d, want %d: %s", code, want, stderr)
		}
		if err := json.Unmarshal([]byte(stdout), &u); err != nil {
			t.Fatalf("%v: %s", err, stdout)
		}
		return u, stderr
	}
	if u, _ := run(0, "npm", "--ecosystem", "Go"); len(u.Sources) != 2 || u.Sources[0].Name != "osv/npm" || u.Sources[0].State != "fetched" || u.Sources[0].Bytes == 0 || u.Sources[1].Covers[0] != "Go" {
		t.Errorf("the first update: %+v", u)
	}
	archives["/Go/all.zip"] = zipOf(t, manyRecords("Go", 40)...)
	if u, _ := run(0); len(u.Sources) != 2 || u.Sources[0].State != "fetched" || u.Sources[1].State != "unchanged" || u.Sources[1].Bytes != 0 {
		t.Errorf("the second update, of what is there: %+v", u)
	}
	delete(archives, "/Go/all.zip")
	u, stderr := run(1)
	if len(u.Sources) != 1 || u.Sources[0].State != "unchanged" || len(u.Failed) != 1 || u.Failed[0].Source != "Go" || u.Failed[0].Remedy == "" {
		t.Errorf("one that fails beside one that does not: %+v", u)
	}
	if !strings.Contains(stderr, "Go") || !strings.Contains(stderr, "  fix: ") {
		t.Errorf("nobody is told: %s", stderr)
	}
	if code, stdout, _ := s.run(t, "advisories", "list"); code != 0 || !strings.Contains(stdout, "40 advisories for Go") || !strings.HasPrefix(stdout, "FRESH") {
		t.Errorf("what was known is lost: %s", stdout)
	}
	was := asked
	if code, _, stderr := s.run(t, "advisories", "update", "--url", publisher.URL, "--offline"); code != 2 || asked != was || !strings.Contains(stderr, "advisories import FILE") {
		t.Errorf("offline: exit %d, %d requests: %s", code, asked-was, stderr)
	}
	s.env = append(s.env, "CI=true")
	if _, _, stderr := s.run(t, "advisories", "update", "npm", "--force", "--url", publisher.URL); strings.Contains(stderr, "\r") {
		t.Errorf("a pipeline gets a moving line: %q", stderr)
	}
}

// Data that a pinned clock let in must not look fresh to the real one.
func TestAdvisoriesOfAPinnedClockStayWithIt(t *testing.T) {
	home, dir := t.TempDir(), t.TempDir()
	real := shell{env: []string{"HOME=" + home}, extra: []command{advisoriesCommand()}}
	pinned := shell{env: append(real.env, "VERDICT_CLOCK=2030-01-01T00:00:00Z"), extra: real.extra}
	file := put(t, filepath.Join(dir, "a.zip"), zipOf(t, manyRecords("npm", 5)...))
	if code, _, stderr := pinned.run(t, "advisories", "import", file, "--as-of", "2030-01-01T00:00:00Z"); code != 0 {
		t.Fatal(stderr)
	}
	for _, args := range [][]string{{"list"}, {"import", file}} {
		if code, _, stderr := real.run(t, append([]string{"advisories"}, args...)...); code != 4 || !strings.Contains(stderr, "made for a demo") {
			t.Errorf("%v on the real clock: exit %d: %s", args, code, stderr)
		}
	}
	// Data of the real clock may be looked at under a pinned one: it gets older only.
	other := shell{env: []string{"HOME=" + t.TempDir()}, extra: real.extra}
	if code, _, stderr := other.run(t, "advisories", "import", file); code != 0 {
		t.Fatal(stderr)
	}
	other.env = append(other.env, "VERDICT_CLOCK=2030-01-01T00:00:00Z")
	if code, stdout, _ := other.run(t, "advisories", "list"); code != 0 || !strings.HasPrefix(stdout, "STALE") {
		t.Errorf("exit %d: %s", code, stdout)
	}
}
