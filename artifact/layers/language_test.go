package layers

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict/sbom"
)

// scalibrFiles are the test data of osv-scalibr, in the module cache.
func scalibrFiles(t *testing.T, parts ...string) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(filepath.Dir(moduleFiles(t)))), "..", "google", "osv-scalibr@*", "extractor", "filesystem", "language", filepath.Join(parts...)))
	if err != nil || len(found) == 0 {
		t.Skip("the module cache holds no test data of osv-scalibr: go mod download github.com/google/osv-scalibr")
	}
	return found[len(found)-1]
}

func bytesIn(t *testing.T, file string) string {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A real program that cargo auditable built, also without permission to be run: as a library
// has none.
func TestCratesOfARealProgram(t *testing.T) {
	program := bytesIn(t, scalibrFiles(t, "rust", "cargoauditable", "testdata", "uses_serde_json", "uses_serde_json"))
	want := []string{
		"pkg:cargo/itoa@1.0.14", "pkg:cargo/memchr@2.7.4", "pkg:cargo/proc-macro2@1.0.92", "pkg:cargo/quote@1.0.38", "pkg:cargo/ryu@1.0.18", "pkg:cargo/serde@1.0.217",
		"pkg:cargo/serde_derive@1.0.217", "pkg:cargo/serde_json@1.0.135", "pkg:cargo/syn@2.0.95", "pkg:cargo/unicode-ident@1.0.14",
	}
	same(t, "a program", purls(read(t, Limits{}, tarOf(t, entry{name: "usr/bin/app", content: program, mode: 0o755}))), slices.Clone(want))
	same(t, "a library", purls(read(t, Limits{}, tarOf(t, entry{name: "usr/lib/libapp.so.1", content: program, mode: 0o644}))), want)
	alone := bytesIn(t, scalibrFiles(t, "rust", "cargoauditable", "testdata", "no_deps", "no_deps"))
	if d := read(t, Limits{}, tarOf(t, entry{name: "usr/bin/app", content: alone, mode: 0o755})); len(d.Components) != 0 {
		t.Errorf("a program's own crate is in no registry: %v", purls(d))
	}
}

// elfWith is a program with one section.
func elfWith(name string, content []byte, change func(section []byte)) []byte {
	le := binary.LittleEndian
	names := "\x00" + name + "\x00.shstrtab\x00"
	b := make([]byte, 64)
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)
	le.PutUint16(b[18:], 62)
	le.PutUint32(b[20:], 1)
	at := len(b)
	b = append(b, content...)
	namesAt := len(b)
	b = append(b, names...)
	le.PutUint64(b[40:], uint64(len(b)))
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[58:], 64)
	le.PutUint16(b[60:], 3)
	le.PutUint16(b[62:], 2)
	section := func(name, kind uint32, offset, size int) []byte {
		s := make([]byte, 64)
		le.PutUint32(s, name)
		le.PutUint32(s[4:], kind)
		le.PutUint64(s[24:], uint64(offset))
		le.PutUint64(s[32:], uint64(size))
		return s
	}
	own := section(1, 1, at, len(content))
	if change != nil {
		change(own)
	}
	b = append(append(append(b, make([]byte, 64)...), own...), section(uint32(2+len(name)), 3, namesAt, len(names))...)
	return append(b, make([]byte, minBinary)...)
}

func packed(t testing.TB, b []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zlib.NewWriter(&out)
	if _, err := z.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

const crates = `{"packages":[{"name":"app","version":"0.1.0","source":"local","root":true},{"name":"cc","version":"1.0.0","source":"crates.io","kind":"build"},{"name":"time","version":"0.1.44","source":"crates.io"},{"name":"fork","version":"2.0.0","source":"git"}]}`

// A list of crates that is a bomb, that points where it must not or that is none is told, and
// what only builds a program is not in it.
func TestAHostileListOfCratesIsTold(t *testing.T) {
	program := func(b []byte) entry { return entry{name: "usr/bin/app", content: string(b), mode: 0o755} }
	same(t, "a sound one", purls(read(t, Limits{}, tarOf(t, program(elfWith(".dep-v0", packed(t, []byte(crates)), nil))))), []string{"pkg:cargo/time@0.1.44", "pkg:cargo/fork@2.0.0"})
	for name, c := range map[string]struct {
		b     []byte
		words string
	}{
		"a bomb":              {elfWith(".dep-v0", packed(t, make([]byte, 64<<20)), nil), "far more"},
		"not packed":          {elfWith(".dep-v0", []byte(crates), nil), "damaged"},
		"cut":                 {elfWith(".dep-v0", packed(t, []byte(crates))[:20], nil), "damaged"},
		"deep":                {elfWith(".dep-v0", packed(t, []byte(strings.Repeat(`{"packages":[`, 200_000))), nil), "damaged"},
		"a name with a space": {elfWith(".dep-v0", packed(t, []byte(`{"packages":[{"name":"a b","version":"1","source":"crates.io"}]}`)), nil), "the name"},
		"beyond the end":      {elfWith(".dep-v0", packed(t, []byte(crates)), func(s []byte) { binary.LittleEndian.PutUint64(s[24:], 1<<40) }), "outside"},
		"without an end":      {elfWith(".dep-v0", packed(t, []byte(crates)), func(s []byte) { binary.LittleEndian.PutUint64(s[32:], 1<<62) }), "outside"},
		"offset and size":     {elfWith(".dep-v0", packed(t, []byte(crates)), func(s []byte) { binary.LittleEndian.PutUint64(s[24:], 1<<63-1) }), ""},
		"compressed twice":    {elfWith(".dep-v0", packed(t, []byte(crates)), func(s []byte) { binary.LittleEndian.PutUint64(s[8:], 0x800) }), ""},
	} {
		d := read(t, Limits{}, tarOf(t, program(c.b)))
		if len(d.Components) != 0 || c.words != "" && !told(d, c.words) {
			t.Errorf("%s: %v, %q, %+v", name, purls(d), d.Inventory, d.Open)
		}
	}
}

const deps = `{"runtimeTarget":{"name":".NETCoreApp,Version=v8.0/linux-x64","signature":""},
 "targets":{".NETCoreApp,Version=v8.0":{},".NETCoreApp,Version=v8.0/linux-x64":{
  "app/1.0.0":{"dependencies":{"Newtonsoft.Json":"13.0.1"},"runtime":{"app.dll":{}}},
  "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"runtime":{"System.Private.CoreLib.dll":{}}},
  "Newtonsoft.Json/13.0.1":{"runtime":{"lib/net6.0/Newtonsoft.Json.dll":{"assemblyVersion":"13.0.0.0"}}},
  "SQLitePCLRaw.lib.e_sqlite3/2.1.4":{"native":{"libe_sqlite3.so":{}}},
  "System.Net.Http/4.3.0":{"dependencies":{}}}},
 "libraries":{"app/1.0.0":{"type":"project","serviceable":false,"sha512":""},
  "runtimepack.Microsoft.NETCore.App.Runtime.linux-x64/8.0.1":{"type":"runtimepack","serviceable":false,"sha512":""},
  "Newtonsoft.Json/13.0.1":{"type":"package","serviceable":true,"sha512":"sha512-x"},
  "SQLitePCLRaw.lib.e_sqlite3/2.1.4":{"type":"package"},
  "System.Net.Http/4.3.0":{"type":"package","serviceable":true,"sha512":"sha512-y"}}}`

const installed = `{"packages":[{"name":"pear/log","version":"1.13.3","version_normalized":"1.13.3.0","license":["MIT"],"type":"library"},
 {"name":"symfony/http-kernel","version":"v5.4.19","license":["LGPL-2.1-only","GPL-3.0-or-later"]},{"name":"acme/edge","version":"dev-main","license":"proprietary"}],"dev":true,"dev-package-names":[]}`

// What an application of .NET or PHP was deployed with is found, and what the framework has
// in its place is not.
func TestManifestsOfDotnetAndPHP(t *testing.T) {
	d := read(t, Limits{}, tarOf(t,
		entry{name: "app/app.deps.json", content: deps},
		entry{name: "var/www/vendor/composer/installed.json", content: installed},
		entry{name: "srv/lib/composer/installed.json", content: `[{"name":"Monolog/Monolog","version":"1.0.2"}]`},
		entry{name: "wp/build/editor.deps.json", content: "[\n \"lodash\",\n \"react\"]"},
		entry{name: "wp/other.deps.json", content: `{"a":1}`},
		entry{name: "x/installed.json", content: `{"packages":[{"name":"no/composer","version":"1.0.0"}]}`},
	))
	same(t, "what is deployed", purls(d), []string{
		"pkg:nuget/Microsoft.NETCore.App.Runtime.linux-x64@8.0.1", "pkg:nuget/Newtonsoft.Json@13.0.1", "pkg:nuget/SQLitePCLRaw.lib.e_sqlite3@2.1.4",
		"pkg:composer/pear/log@1.13.3", "pkg:composer/symfony/http-kernel@v5.4.19", "pkg:composer/acme/edge@dev-main", "pkg:composer/monolog/monolog@1.0.2",
	})
	i := slices.IndexFunc(d.Components, func(c sbom.Component) bool { return c.Name == "symfony/http-kernel" })
	if i < 0 || !slices.Equal(d.Components[i].Licenses, []string{"LGPL-2.1-only OR GPL-3.0-or-later"}) {
		t.Errorf("several licences of which one may be chosen: %+v", d.Components)
	}
	real := read(t, Limits{}, tarOf(t, entry{name: "app/x.deps.json", content: bytesIn(t, scalibrFiles(t, "dotnet", "depsjson", "testdata", "valid"))}))
	if len(real.Components) == 0 {
		t.Errorf("a real one: %+v", real.Open)
	}
	for name, e := range map[string]entry{
		"a broken one of .NET":   {name: "a/b.deps.json", content: `{"libraries":{"a/1":`},
		"a package of no name":   {name: "a/b.deps.json", content: `{"libraries":{"/1":{"type":"package"}}}`},
		"one that is too deep":   {name: "a/b.deps.json", content: strings.Repeat(`{"targets":`, 300_000)},
		"one that is too large":  {name: "a/b.deps.json", content: strings.Repeat(" ", maxManifest+1)},
		"a broken one of PHP":    {name: "vendor/composer/installed.json", content: `{"packages":[{"name":"a/b","ver`},
		"a package without name": {name: "vendor/composer/installed.json", content: `{"packages":[{"version":"1"}]}`},
	} {
		if d := read(t, Limits{}, tarOf(t, e)); len(d.Components) != 0 || !told(d, "") {
			t.Errorf("%s: %v, %+v", name, purls(d), d.Open)
		}
	}
}

// A Go program says its modules also when symbols and paths were taken out of it, and names
// what a module was replaced with; of a folder nobody knows which module it is.
func TestModulesOfAStrippedProgram(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod":        "module example.com/app\n\ngo 1.24\n\nrequire (\n\tgithub.com/package-url/packageurl-go v0.1.0\n\texample.com/local v1.0.0\n)\n\nreplace example.com/local => ./local\n\nreplace github.com/package-url/packageurl-go => github.com/package-url/packageurl-go VERSION\n",
		"local/go.mod":  "module example.com/local\n\ngo 1.24\n",
		"local/l.go":    "package local\n\nfunc L() string { return \"l\" }\n",
		"cmd/a/main.go": "package main\n\nimport (\n\t\"example.com/local\"\n\t\"github.com/package-url/packageurl-go\"\n)\n\nfunc main() {\n\tp, _ := packageurl.FromString(local.L())\n\tprintln(p.Name)\n}\n",
	} {
		if strings.Contains(text, "VERSION") {
			text = strings.ReplaceAll(text, "VERSION", moduleVersion(t, "github.com/package-url/packageurl-go"))
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-ldflags=-s -w", "-o", "app", "./cmd/a")
	c.Dir, c.Env = dir, append(os.Environ(), "GOPROXY=off", "GONOSUMDB=*", "GOFLAGS=-mod=mod", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=amd64", "GOWORK=off")
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	d := read(t, Limits{}, tarOf(t, entry{name: "app", content: bytesIn(t, filepath.Join(dir, "app")), mode: 0o755}))
	got := purls(d)
	if !slices.Contains(got, "pkg:golang/github.com/package-url/packageurl-go@"+moduleVersion(t, "github.com/package-url/packageurl-go")) || !slices.ContainsFunc(got, func(p string) bool { return strings.HasPrefix(p, "pkg:golang/stdlib@") }) {
		t.Errorf("%v", got)
	}
	if !strings.Contains(fmt.Sprint(d.Open), "example.com/local") {
		t.Errorf("a module that was replaced by a folder: %+v", d.Open)
	}
}

func moduleVersion(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", module).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// What a language leaves beside its packages must be told when it is damaged, and must not
// end the process.
func FuzzManifests(f *testing.F) {
	for _, s := range []string{deps, installed, crates, `[{"name":"a/b","version":"1"}]`, `{"name":"a","version":"1.0.0","license":"MIT"}`, "Name: a\nVersion: 1\n", "s.name = \"a\"\ns.version = \"1\"\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		for name, read := range map[string]func([]byte) ([]found, error){"dotnet": readDotnet, "composer": readComposer, "crates": parseCrates, "npm": readPackageJSON, "python": readPython, "gem": readGemspec} {
			out, _ := read(b)
			for _, p := range out {
				if !p.sound() || len(p.licence) > maxLicence {
					t.Errorf("%s: %+v", name, p)
				}
			}
		}
	})
}

func FuzzExecutable(f *testing.F) {
	f.Add(elfWith(".dep-v0", packed(f, []byte(crates)), nil))
	f.Add(elfWith(".dep-v0", packed(f, []byte(crates)), func(s []byte) { binary.LittleEndian.PutUint64(s[24:], 1<<63-1) }))
	f.Add(elfWith(".go.buildinfo", append([]byte("\xff Go buildinf:\x08\x02"), make([]byte, 64)...), nil))
	f.Add([]byte("MZ" + strings.Repeat("\x00", 200)))
	f.Add([]byte("\xcf\xfa\xed\xfe" + strings.Repeat("\x01", 200)))
	f.Fuzz(func(t *testing.T, b []byte) {
		out, _, _ := parseExecutable(b)
		for _, p := range out {
			if !p.sound() {
				t.Errorf("%+v", p)
			}
		}
	})
}
