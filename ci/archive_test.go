package ci

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"verdict"
)

// packedFile is one file of an archive that a test makes.
type packedFile struct{ name, content string }

func zipOf(t testing.TB, files ...packedFile) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, f := range files {
		w, err := z.Create(f.name)
		must(t, err)
		_, err = w.Write([]byte(f.content))
		must(t, err)
	}
	must(t, z.Close())
	return b.String()
}

func tarOf(t testing.TB, files ...packedFile) string {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		must(t, w.WriteHeader(&tar.Header{Name: f.name, Size: int64(len(f.content)), Mode: 0o644, Typeflag: tar.TypeReg}))
		_, err := w.Write([]byte(f.content))
		must(t, err)
	}
	must(t, w.Close())
	return b.String()
}

func gzipOf(t testing.TB, content string) string {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write([]byte(content))
	must(t, err)
	must(t, w.Close())
	return b.String()
}

func zstdOf(t testing.TB, content string) string {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	defer w.Close()
	return string(w.EncodeAll([]byte(content), nil))
}

// unpackedIn searches a tree with the archives in it.
func unpackedIn(t *testing.T, files map[string]string) verdict.Report {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		write(t, dir, name, content)
	}
	s, err := NewSecrets(SecretsOptions{Now: time.Now})
	must(t, err)
	m, err := Walk(t.Context(), dir, WalkOptions{}, s, s.inArchives())
	must(t, err)
	return s.Report(m, ".")
}

// A key that was zipped is as leaked as one that was not.
func TestASecretInAnArchiveIsFoundWhereItLies(t *testing.T) {
	leak := packedFile{"conf/app.env", "a=1\napi_key=" + generic1 + "\n"}
	for name, c := range map[string]struct{ file, content, want string }{
		"a zip":                         {"a.zip", zipOf(t, packedFile{"empty", ""}, leak), "a.zip!/conf/app.env"},
		"a Java archive":                {"lib/a.jar", zipOf(t, leak), "lib/a.jar!/conf/app.env"},
		"a tar":                         {"a.tar", tarOf(t, leak), "a.tar!/conf/app.env"},
		"a packed tar":                  {"a.tar.gz", gzipOf(t, tarOf(t, leak)), "a.tar.gz!/conf/app.env"},
		"a tgz":                         {"a.tgz", gzipOf(t, tarOf(t, leak)), "a.tgz!/conf/app.env"},
		"a tar of zstd":                 {"a.tar.zst", zstdOf(t, tarOf(t, leak)), "a.tar.zst!/conf/app.env"},
		"one packed file":               {"app.env.gz", gzipOf(t, leak.content), "app.env.gz!/app.env"},
		"a zip in a tar":                {"a.tar", tarOf(t, packedFile{"b.zip", zipOf(t, leak)}), "a.tar!/b.zip!/conf/app.env"},
		"a name that would lead out":    {"a.zip", zipOf(t, packedFile{"../../etc/app.env", leak.content}), "a.zip!/etc/app.env"},
		"a name as Windows writes it":   {"a.zip", zipOf(t, packedFile{`..\conf\app.env`, leak.content}), "a.zip!/conf/app.env"},
		"an archive with another name":  {"data.bin", zipOf(t, leak), "data.bin!/conf/app.env"},
		"a picture that is none":        {"a.png", zipOf(t, leak), "a.png!/conf/app.env"},
		"a tar that is only packed":     {"a.gz", gzipOf(t, tarOf(t, leak)), "a.gz!/a!/conf/app.env"},
		"a renamed one in another":      {"a.tar", tarOf(t, packedFile{"b.dat", zipOf(t, leak)}), "a.tar!/b.dat!/conf/app.env"},
		"a file with holes":             {"a.tar", retyped(t, tarOf(t, leak), '7'), "a.tar!/conf/app.env"},
		"a file of no known type":       {"a.tar", retyped(t, tarOf(t, leak), 'Z'), "a.tar!/conf/app.env"},
		"a second file of that name":    {"a.zip", zipOf(t, packedFile{"conf/app.env", "x"}, leak), "a.zip!/conf/app.env"},
		"a folder that holds something": {"a.zip", zipOf(t, packedFile{"x", "y"}, packedFile{"conf/app.env/", ""}, leak), "a.zip!/conf/app.env"},
		"what came before it was torn":  {"a.tar", tarOf(t, leak, packedFile{"b", strings.Repeat("x", 4000)})[:2100], "a.tar!/conf/app.env"},
	} {
		t.Run(name, func(t *testing.T) {
			r := unpackedIn(t, map[string]string{c.file: c.content})
			if len(r.Hits) != 1 || r.Hits[0].Path != c.want || r.Hits[0].Line != 2 {
				t.Fatalf("hits: %+v; not checked: %+v", r.Hits, r.NotChecked)
			}
			if torn := strings.Contains(name, "torn"); r.Complete == torn {
				t.Errorf("complete: %v, not checked: %+v", r.Complete, r.NotChecked)
			}
		})
	}
}

// retyped is a tar whose first file is of another type.
func retyped(t testing.TB, content string, kind byte) string {
	t.Helper()
	b := []byte(content)
	b[156] = kind
	copy(b[148:156], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:156], fmt.Sprintf("%06o\x00 ", sum))
	return string(b)
}

// What could not be unpacked must not look searched.
func TestWhatCannotBeUnpackedLeavesTheCheckIncomplete(t *testing.T) {
	deep := zipOf(t, packedFile{"app.env", "api_key=" + generic1})
	for range 3 {
		deep = zipOf(t, packedFile{"a.zip", deep})
	}
	many := make([]packedFile, maxArchiveFiles+1)
	for i := range many {
		many[i].name = fmt.Sprint(i)
	}
	encrypted := []byte(zipOf(t, packedFile{"secret.txt", "x"}))
	for _, header := range []string{"PK\x01\x02", "PK\x03\x04"} {
		at := bytes.Index(encrypted, []byte(header))
		encrypted[at+map[string]int{"PK\x01\x02": 8, "PK\x03\x04": 6}[header]] |= 1
	}
	for name, c := range map[string]struct{ file, content, want string }{
		"not a zip":                    {"a.zip", "hello", "could not be unpacked"},
		"a zip that was cut":           {"a.zip", zipOf(t, packedFile{"a", "b"})[:30], "could not be unpacked"},
		"a format without a reader":    {"a.7z", "7z", "unpack it, and run verdict ci on the folder"},
		"an encrypted file":            {"a.zip", string(encrypted), "it is encrypted"},
		"archives in archives":         {"a.zip", deep, "in more than 3 archives"},
		"a file that is a bomb":        {"a.gz", gzipOf(t, strings.Repeat("a", maxArchived+1)), "more than 33554432 bytes"},
		"more files than are read":     {"a.zip", zipOf(t, many...), "more than 50000 files"},
		"a stream that is no stream":   {"a.gz", "\x1f\x8bnothing", "could not be unpacked"},
		"a renamed archive, cut":       {"a.bin", zipOf(t, packedFile{"a", "b"})[:30], "could not be unpacked"},
		"a renamed 7z":                 {"a.dat", "7z\xbc\xaf\x27\x1c", "unpack it, and run verdict ci on the folder"},
		"bz2 that is xz":               {"a.bz2", "\xfd7zXZ\x00", "unpack it, and run verdict ci on the folder"},
		"a tar behind a tar":           {"a.tar", tarOf(t, packedFile{"a", "b"}) + tarOf(t, packedFile{"c", "d"}), "behind its end"},
		"a tar in which a header lies": {"a.tar", strings.Repeat("x", 1024), "could not be unpacked"},
	} {
		t.Run(name, func(t *testing.T) {
			r := unpackedIn(t, map[string]string{c.file: c.content})
			if r.Complete || !told(r, c.want) {
				t.Errorf("complete: %v, not checked: %+v", r.Complete, r.NotChecked)
			}
		})
	}
}

// A zip of files that together are too much costs what the bound says, and no more.
func TestABombIsNotUnpackedToItsEnd(t *testing.T) {
	var bomb []packedFile
	zeros := strings.Repeat("\x00", 16<<20)
	for i := range 40 {
		bomb = append(bomb, packedFile{fmt.Sprint(i), zeros})
	}
	r := unpackedIn(t, map[string]string{"a.zip": zipOf(t, bomb...)})
	if r.Complete || !told(r, "from here on it was not unpacked") {
		t.Errorf("not checked: %+v", r.NotChecked)
	}
	if r.Scope.Bytes > maxUnpacked+maxArchived {
		t.Errorf("%d bytes were searched", r.Scope.Bytes)
	}
}

// The last file of an archive must not look searched when the bound cut it.
func TestAFileThatTheBoundCutIsTold(t *testing.T) {
	content := zipOf(t, packedFile{"a", strings.Repeat("a", 100)}, packedFile{"b.env", strings.Repeat("b", 100) + "\napi_key=" + generic1})
	for name, archive := range map[string]string{"a.zip": content, "a.tar": tarOf(t, packedFile{"b.env", strings.Repeat("b", 100) + "\napi_key=" + generic1})} {
		s, err := NewSecrets(SecretsOptions{Now: time.Now})
		must(t, err)
		u := &unpacking{to: s, bytes: int64(150 + 512*strings.Count(name, "tar")), files: 10}
		u.open(t.Context(), name, []byte(archive), 1)
		if len(u.failed) != 1 || !u.failed[0].Blocks || !strings.Contains(u.failed[0].Reason, "from here on") {
			t.Errorf("%s: %+v", name, u.failed)
		}
	}
}

// What is only passed over in an archive is unpacked all the same, and must not hold the
// check for hours.
func TestABombThatIsPassedOverEnds(t *testing.T) {
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b)
	must(t, err)
	w := tar.NewWriter(z)
	must(t, w.WriteHeader(&tar.Header{Name: "a", Size: 20 << 30, Mode: 0o644, Typeflag: tar.TypeReg}))
	zeros := make([]byte, 1<<20)
	for range 600 { // it ends before its size does, which nobody knows
		_, err := w.Write(zeros)
		must(t, err)
	}
	must(t, z.Close())
	s, err := NewSecrets(SecretsOptions{Now: time.Now})
	must(t, err)
	u := &unpacking{to: s, bytes: 64 << 20, files: 10}
	u.open(t.Context(), "a.tar.zst", b.Bytes(), 1)
	if u.taken > 64<<20 || !u.full {
		t.Errorf("%d bytes were unpacked, full: %v", u.taken, u.full)
	}
}

// Who did not ask for archives is told that there were some.
func TestArchivesThatWereNotOpenedAreTold(t *testing.T) {
	r := searched(t, map[string]string{"a.zip": zipOf(t, packedFile{"a.env", "api_key=" + generic1})}, SecretsOptions{Now: time.Now})
	if !told(r, "archives, which were not opened (verdict ci --archives does): 1") || len(r.Hits) > 0 {
		t.Errorf("%+v", r)
	}
}

// An archive is told old from new as any file is.
func TestASecretInAnOldArchiveIsOld(t *testing.T) {
	line := func(secret string) packedFile { return packedFile{"a.env", "api_key=" + secret + "\n"} }
	dir, base := committed(t, map[string]string{
		"same.zip": zipOf(t, line(generic1)), "grows.zip": zipOf(t, line(generic1)), "moves/a.zip": zipOf(t, packedFile{"moved", "1"}, line(generic1)),
	})
	write(t, dir, "grows.zip", zipOf(t, line(generic1), packedFile{"b.env", "api_key=" + generic2}))
	gitIn(t, dir, "mv", "moves", "moved")
	commitAll(t, dir)
	var old, fresh []string
	for _, h := range ran(t, dir, Options{Base: base, Archives: true}).Reports[0].Hits {
		if h.Old {
			old = append(old, h.Path)
		} else {
			fresh = append(fresh, h.Path)
		}
	}
	if want := []string{"grows.zip!/a.env", "moved/a.zip!/a.env", "same.zip!/a.env"}; !slices.Equal(old, want) {
		t.Errorf("old: %v", old)
	}
	if want := []string{"grows.zip!/b.env"}; !slices.Equal(fresh, want) {
		t.Errorf("new: %v", fresh)
	}
}

func FuzzArchives(f *testing.F) {
	leak := packedFile{"a.env", "api_key=" + generic1}
	f.Add("a.zip", []byte(zipOf(f, leak, packedFile{"b.tar", tarOf(f, leak)})))
	f.Add("a.tar.gz", []byte(gzipOf(f, tarOf(f, leak))))
	f.Add("a.zst", []byte(zstdOf(f, leak.content)))
	s, err := NewSecrets(SecretsOptions{Now: time.Now})
	must(f, err)
	f.Fuzz(func(t *testing.T, name string, content []byte) {
		u := &unpacking{to: s, bytes: 1 << 20, files: 100}
		u.open(t.Context(), name, content, 1)
		if u.taken > 1<<20+maxArchived {
			t.Errorf("%d bytes were unpacked", u.taken)
		}
		for _, n := range u.failed {
			if n.Path == "" || n.Reason == "" || !n.Blocks {
				t.Errorf("a gap that says nothing: %+v", n)
			}
		}
	})
}
