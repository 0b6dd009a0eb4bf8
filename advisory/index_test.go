package advisory

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"verdict"
)

// sample is a small index with everything in it, as bytes.
func sample(t testing.TB) []byte {
	t.Helper()
	dst := filepath.Join(t.TempDir(), "x")
	dir := folder(t, map[string]string{
		"1.json":   osv("GHSA-1", `"aliases":["CVE-2026-4000"],"summary":"s"`, affects("npm", "a", events("SEMVER", "introduced 1.0.0 fixed 2.0.0")), affects("npm", "b", `"versions":["1.0.0"]`)),
		"2.json":   osv("MAL-2026-2", "", affects("npm", "b", events("SEMVER", "introduced 0"))),
		"3.json":   osv("PYSEC-3", "", affects("PyPI", "c", events("SEMVER", "introduced 0 last_affected 2"))),
		"4.json":   osv("GHSA-4", `"withdrawn":"2026-01-01T00:00:00Z"`, affects("npm", "a", events("GIT", "introduced 0"))),
		"kev":      `{"catalogVersion":"2026.11.01","vulnerabilities":[{"cveID":"CVE-2026-4000"}]}`,
		"epss.csv": "cve,epss,percentile\nCVE-2026-4000,0.5,0.5\nCVE-2026-4001,0.25,0.5\n",
	})
	mustImport(t, dir, dst, ImportOptions{Name: "s"})
	mustImport(t, filepath.Join(dir, "kev"), dst, ImportOptions{})
	mustImport(t, filepath.Join(dir, "epss.csv"), dst, ImportOptions{})
	b, err := os.ReadFile(dst)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

var asked = []verdict.Component{
	{Ecosystem: "npm", Name: "a", Version: "1.5.0"}, {Ecosystem: "npm", Name: "b", Version: "1.0.0"},
	{Ecosystem: "PyPI", Name: "c", Version: "1.0"}, {Ecosystem: "npm", Name: "clean", Version: "1.0.0"},
}

// answers opens bytes as an index and asks it everything; nil when it is refused or
// refuses an answer.
func answers(t testing.TB, b []byte) [][]verdict.Vulnerability {
	t.Helper()
	p := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(p, b, 0o600); err != nil {
		t.Fatal(err)
	}
	x, err := Open(p)
	if err != nil {
		return nil
	}
	defer x.Close()
	verified := x.Verify()
	var out [][]verdict.Vulnerability
	for _, c := range asked {
		hits, err := x.Match(c)
		if err != nil {
			return nil
		}
		out = append(out, hits)
	}
	if verified != nil && errors.As(verified, new(*os.PathError)) {
		t.Fatalf("Verify: %v", verified)
	}
	return out
}

func TestAChangedByteIsAnErrorAndNeverAnotherAnswer(t *testing.T) {
	good := sample(t)
	want := answers(t, good)
	if len(want) != len(asked) || ids(want[0]) != "CVE-2026-4000" || !want[0][0].Exploited || want[0][0].EPSS != 500000 || ids(want[1]) != "MAL-2026-2 CVE-2026-4000" || ids(want[3]) != "" {
		t.Fatalf("the sample answers %+v", want)
	}
	refused := 0
	for i := range good {
		for _, bit := range []byte{0x01, 0x80} {
			bad := append([]byte(nil), good...)
			bad[i] ^= bit
			got := answers(t, bad)
			if got == nil {
				refused++
				continue
			}
			if d := cmp.Diff(want, got); d != "" {
				t.Fatalf("byte %d of %d changed by %#x gives another answer: %s", i, len(good), bit, d)
			}
		}
	}
	t.Logf("%d of %d changes of one byte were refused, the others touch the digest alone", refused, 2*len(good))
	if refused < 2*len(good)*9/10 {
		t.Error("too many changes went unseen")
	}
}

func TestAnIndexThatIsCutOrLengthenedIsRefused(t *testing.T) {
	good := sample(t)
	for _, n := range []int{0, 1, 8, headerSize - 1, headerSize, len(good) / 2, len(good) - 1} {
		if got := answers(t, good[:n]); got != nil {
			t.Errorf("the first %d of %d bytes answered %v", n, len(good), got)
		}
	}
	if got := answers(t, append(good, 0)); got != nil {
		t.Error("a byte more was not seen")
	}
}

func TestAFileCutUnderTheMapIsAnError(t *testing.T) {
	dst := filepath.Join(t.TempDir(), "x")
	mustImport(t, file(t, "a.zip", zipped(t, many(2000)...)), dst, ImportOptions{Name: "s"})
	x := mustOpen(t, dst)
	if err := os.Truncate(dst, 4096); err != nil {
		t.Fatal(err)
	}
	_, err := x.Match(verdict.Component{Ecosystem: "npm", Name: "p1999", Version: "1.0.0"})
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.What, "cut short") || !strings.Contains(e.Remedy, "advisories update") {
		t.Errorf("Match: %v", err)
	}
	if err := x.Verify(); err == nil {
		t.Error("Verify saw nothing")
	}
}

func TestAnIndexThatIsNotThereSaysWhatToDo(t *testing.T) {
	_, err := Open(filepath.Join(t.TempDir(), "x"))
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeNotFound || !strings.Contains(e.Remedy, "verdict advisories update") {
		t.Errorf("Open: %v", err)
	}
	p := file(t, "x", []byte(strings.Repeat("no index ", 100)))
	if _, err := Open(p); verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("Open of another file: %v", err)
	}
	if _, err := Import(t.Context(), folder(t, map[string]string{"1.json": simple("A", "a")}), p, ImportOptions{Now: clock}); verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("Import over another file: %v", err)
	}
	if b, err := os.ReadFile(p); err != nil || !strings.HasPrefix(string(b), "no index") {
		t.Errorf("the other file was overwritten: %v", err)
	}
	x := mustOpen(t, file(t, "x", sample(t)))
	if err := errors.Join(x.Close(), x.Close()); err != nil {
		t.Error(err)
	}
	if hits, err := x.Match(asked[0]); err == nil || hits != nil {
		t.Errorf("a closed index answered %v", hits)
	}
}

func TestManyReadersOfOneIndex(t *testing.T) {
	x := mustOpen(t, file(t, "x", sample(t)))
	done := make(chan string, 8)
	for range cap(done) {
		go func() {
			for range 50 {
				if hits, err := x.Match(asked[0]); err != nil || ids(hits) != "CVE-2026-4000" {
					done <- fmt.Sprint(hits, err)
					return
				}
			}
			done <- ""
		}()
	}
	for range cap(done) {
		if s := <-done; s != "" {
			t.Error(s)
		}
	}
}

// sealed corrects all checksums, so that what lies behind them is reached.
func sealed(b []byte) []byte {
	b = append([]byte(nil), b...)
	if len(b) < headerSize {
		return b
	}
	le := binary.LittleEndian
	copy(b, magic)
	le.PutUint32(b[8:], formatVersion)
	le.PutUint64(b[16:], uint64(len(b)))
	inside := func(off, n uint64) bool { return off <= uint64(len(b)) && n <= uint64(len(b))-off }
	var sec [sections]section
	for i := range sec {
		at := b[24+i*sectionSize:]
		sec[i] = section{off: le.Uint64(at), length: le.Uint64(at[8:])}
	}
	if s, t := sec[secBlocks], sec[secTable]; inside(s.off, s.length) && inside(t.off, t.length) {
		blocks, table := b[s.off:s.off+s.length], b[t.off:t.off+t.length]
		for ; len(table) >= rowSize; table = table[rowSize:] {
			r := rowAt(table, 0)
			if uint64(r.off)+uint64(r.length) <= uint64(len(blocks)) {
				le.PutUint32(table[16:], crcOf(blocks[r.off:r.off+r.length]))
			}
		}
	}
	for i, s := range sec {
		if inside(s.off, s.length) {
			le.PutUint32(b[24+i*sectionSize+16:], crcOf(b[s.off:s.off+s.length]))
		}
	}
	le.PutUint32(b[12:], 0)
	le.PutUint32(b[12:], crcOf(b[:headerSize]))
	return b
}

func TestBytesThatLieBehindRightChecksumsNeverPanic(t *testing.T) {
	good := sample(t)
	for i := range good {
		for _, v := range []byte{0x00, 0xff} {
			bad := append([]byte(nil), good...)
			bad[i] = v
			for _, list := range answers(t, sealed(bad)) {
				for _, hit := range list {
					if hit.ID == "" || hit.Aliases == nil {
						t.Fatalf("byte %d as %#x gave %+v", i, v, hit)
					}
				}
			}
		}
	}
}

func FuzzIndex(f *testing.F) {
	good := sample(f)
	f.Add(good, false)
	f.Add(good[:headerSize], true)
	f.Add(good[:len(good)/2], true)
	f.Fuzz(func(t *testing.T, b []byte, seal bool) {
		if seal {
			b = sealed(b)
		}
		for _, list := range answers(t, b) {
			if list == nil {
				t.Fatal("an answer that is neither hits nor an error")
			}
		}
	})
}

func FuzzRecord(f *testing.F) {
	f.Add([]byte(simple("GHSA-1", "a")), false, "1.0.0")
	f.Add([]byte(yamlRecord), true, "1.0rc1")
	f.Add([]byte(osv("GHSA-2", `"aliases":["CVE-2026-4000"]`, affects("Maven", "g:a", events("ECOSYSTEM", "introduced 1.0 fixed 1.0.1-SNAPSHOT")))), false, "1.0")
	f.Add([]byte(osv("MAL-1", "", affects("Debian:12", "a", `"versions":["1:1.0~rc1-1"],`+events("ECOSYSTEM", "introduced 0 last_affected 2")))), false, "1:1.0")
	f.Add([]byte("id: [&a x, *a]"), true, "")
	for _, e := range []string{"Alpine:v3.19", "CRAN", "Hackage", "NuGet", "Packagist", "Pub", "Red Hat", "RubyGems", "Bitnami", "GitHub Actions", "Ubuntu:22.04", "Hex"} {
		f.Add([]byte(osv("A-1", "", affects(e, "a", events("ECOSYSTEM", "introduced 1.2-3 fixed 1.10.1")))), false, "1.9.0-r0")
	}
	f.Fuzz(func(t *testing.T, b []byte, isYAML bool, version string) {
		p, err := parseRecord(b, isYAML, today)
		if err != nil {
			return
		}
		for key, post := range p.byKey {
			in := reading{b: string(post.encode(nil))}
			back, err := in.posting(key, 1)
			if err != nil || len(in.b) > 0 {
				t.Fatalf("%q cannot be read back: %v, %d bytes left", key, err, len(in.b))
			}
			if d := cmp.Diff(string(post.encode(nil)), string(back.encode(nil))); d != "" {
				t.Fatalf("%q changed: %s", key, d)
			}
			ecosystem, name, _ := strings.Cut(key, "\x00")
			o := orderOf(ecosystem, name)
			m := &matcher{component: verdict.Component{Ecosystem: ecosystem, Name: name, Version: version}, order: o, parse: placed(o)}
			m.place, m.err = o.parse(version)
			if v, hit := m.judge(m.all([]posting{back})); hit && v.ID == "" || !hit && m.err != nil && m.unjudged == nil && len(back.spans) > 0 {
				t.Fatalf("%q was judged as %+v, hit %v, without a reason", version, v, hit)
			}
		}
	})
}
