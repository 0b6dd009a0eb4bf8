package layers

import (
	"encoding/binary"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"

	rpmdb "github.com/knqyf263/go-rpmdb/pkg"
	_ "modernc.org/sqlite" // the library's reader of rpmdb.sqlite

	"verdict/sbom"
)

// moduleFiles is the folder of the library's own test data, in the module cache; empty
// where the module was vendored or is not there.
func moduleFiles(t *testing.T) string {
	t.Helper()
	cache := os.Getenv("GOMODCACHE")
	if cache == "" {
		home, err := os.UserHomeDir()
		if err != nil {
			t.Skip("the module cache with databases of rpm is missing: neither GOMODCACHE nor HOME says where it is")
		}
		cache = filepath.Join(home, "go", "pkg", "mod")
	}
	return filepath.Join(cache, "github.com", "knqyf263", "go-rpmdb@v0.1.1", "pkg", "testdata")
}

// The databases of real systems, in each of rpm's three forms, must read as the library
// that others use reads them: a package that is lost here is a vulnerability not seen.
func TestDatabasesOfRPMReadAsOthersReadThem(t *testing.T) {
	dir := moduleFiles(t)
	var files []string
	for _, name := range []string{"Packages", "Packages.db", "rpmdb.sqlite"} {
		found, err := filepath.Glob(filepath.Join(dir, "*", name))
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	if len(files) == 0 {
		t.Skip("the module cache holds no databases of rpm: go mod download github.com/knqyf263/go-rpmdb")
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := parseRPM(raw)
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		db, err := rpmdb.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := db.ListPackages()
		if err != nil {
			t.Fatal(err)
		}
		var got, want []string
		for _, p := range ours {
			got = append(got, p.name+" "+p.version+" "+p.arch+" "+p.source)
		}
		for _, p := range theirs {
			if p.Name == "gpg-pubkey" {
				continue
			}
			v := p.Version + "-" + p.Release
			if e := p.EpochNum(); e != 0 {
				v = strconv.Itoa(e) + ":" + v
			}
			want = append(want, p.Name+" "+v+" "+p.Arch+" "+sourceOf(p.SourceRpm))
		}
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: %d packages, and the library reads %d", file, len(got), len(want))
		}
	}
	t.Logf("%d databases", len(files))
}

func sourceOf(file string) string {
	name, _, _ := sbom.SourceRPM(file)
	return name
}

// headerOf is the header of one package.
func headerOf(fields map[uint32]string) []byte {
	var index, data []byte
	for _, tag := range slices.Sorted(maps.Keys(fields)) {
		for _, n := range []uint32{tag, 6, uint32(len(data)), 1} {
			index = binary.BigEndian.AppendUint32(index, n)
		}
		data = append(append(data, fields[tag]...), 0)
	}
	out := binary.BigEndian.AppendUint32(nil, uint32(len(fields)))
	return slices.Concat(binary.BigEndian.AppendUint32(out, uint32(len(data))), index, data)
}

// ndbOf is a database of SUSE's form with one package.
func ndbOf(header []byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 4096)
	copy(b, "RpmP")
	le.PutUint32(b[12:], 1)
	for at := 32; at < len(b); at += 16 {
		copy(b[at:], "Slot")
	}
	le.PutUint32(b[36:], 1)
	le.PutUint32(b[40:], 256)
	blob := le.AppendUint32(append(le.AppendUint32([]byte("BlbS"), 1), 0, 0, 0, 0), uint32(len(header)))
	return slices.Concat(b, blob, header)
}

var bash = map[uint32]string{tagName: "bash", tagVersion: "5.2", tagRelease: "1.el9", tagArch: "x86_64", tagSourceRPM: "bash-5.2-1.el9.src.rpm"}

// A database that points where it must not is told, whole or not at all.
func TestADamagedDatabaseOfRPMIsTold(t *testing.T) {
	whole := ndbOf(headerOf(bash))
	p, err := parseRPM(whole)
	if err != nil || len(p) != 1 || p[0].name != "bash" || p[0].version != "5.2-1.el9" || p[0].source != "bash" {
		t.Fatalf("%+v, %v", p, err)
	}
	for name, change := range map[string]func(b []byte){
		"a slot beyond the end":  func(b []byte) { binary.LittleEndian.PutUint32(b[40:], 1<<30) },
		"a blob without an end":  func(b []byte) { binary.LittleEndian.PutUint32(b[4096+12:], 1<<31) },
		"an index without end":   func(b []byte) { binary.BigEndian.PutUint32(b[4096+16:], 1<<31) },
		"text without an end":    func(b []byte) { b[len(b)-1] = 'x' },
		"a slot of another kind": func(b []byte) { b[48] = 'x' },
	} {
		b := slices.Clone(whole)
		change(b)
		if p, err := parseRPM(b); err == nil {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// A damaged database must be told, and must not end the process.
func FuzzRPM(f *testing.F) {
	f.Add([]byte(sqliteMagic))
	f.Add([]byte("RpmP"))
	f.Add(ndbOf(headerOf(bash)))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, err := parseRPM(b)
		for _, p := range out {
			if !p.sound() {
				t.Errorf("%+v (%v)", p, err)
			}
		}
	})
}
