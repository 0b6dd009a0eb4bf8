package inventory

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci/inventory/inventorytest"
)

// inventoryOf reads files as the walk would and gives how many of them were judged, what they
// name and what they leave open.
func inventoryOf(t testing.TB, files map[string]string) (judged int, found []Dependency, open []verdict.NotChecked) {
	t.Helper()
	s := NewSet()
	for p, content := range files {
		if !s.Wants(p) {
			t.Fatalf("%s is not wanted", p)
		}
		if s.Add(p, []byte(content)) {
			judged++
		}
	}
	found, open = s.Finish(false)
	return judged, found, open
}

// line writes a dependency in short: source:line purl direct path.
func line(d Dependency) string {
	s := fmt.Sprintf("%s:%d %s", d.Source, d.Line, d.PURL)
	if d.Direct {
		s += " direct"
	}
	if d.Development {
		s += " dev"
	}
	if len(d.Path) > 0 {
		s += " " + strings.Join(d.Path, ">")
	}
	return s
}

func sameLines(t *testing.T, found []Dependency, want ...string) {
	t.Helper()
	var got []string
	for _, d := range found {
		got = append(got, line(d))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// gap reports whether a gap with these words is told, and fails when it blocks or not
// as it should not.
func gap(t *testing.T, gaps []verdict.NotChecked, words string, blocks bool) {
	t.Helper()
	for _, g := range gaps {
		if strings.Contains(g.Path+": "+g.Reason, words) {
			if g.Blocks != blocks {
				t.Errorf("%q blocks: %v, want %v", g.Reason, g.Blocks, blocks)
			}
			return
		}
	}
	t.Errorf("nothing is told about %q; told: %+v", words, gaps)
}

func blocking(gaps []verdict.NotChecked) int {
	n := 0
	for _, g := range gaps {
		if g.Blocks {
			n++
		}
	}
	return n
}

func TestGoModules(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"svc/go.mod": inventorytest.GoMod})
	sameLines(t, found,
		"svc/go.mod:5 pkg:golang/stdlib@1.26.8 direct acme.example/payments>stdlib",
		"svc/go.mod:8 pkg:golang/example.com/direct@v1.2.0 direct acme.example/payments>example.com/direct",
		"svc/go.mod:9 pkg:golang/example.com/ours@v1.0.1 direct acme.example/payments>example.com/ours",
		"svc/go.mod:11 pkg:golang/example.com/other@v2.0.0%2Bincompatible",
		"svc/go.mod:14 pkg:golang/gopkg.in/yaml.v3@v3.0.1 direct acme.example/payments>gopkg.in/yaml.v3",
	)
	gap(t, gaps, "replaced by the folder ./local, which is judged by its own go.mod", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
	for name, c := range map[string]struct {
		file, text, told string
		blocks           bool
		found            int
	}{
		"an old go.mod does not list everything":     {"go.mod", "module m\n\ngo 1.16\n\nrequire example.com/a v1.0.0\n", "before go 1.17", true, 1},
		"no go line is older still":                  {"go.mod", "module m\n\nrequire example.com/a v1.0.0\n", "before go 1.17", true, 1},
		"a release candidate is newer":               {"go.mod", "module m\n\ngo 1.27rc1\n\nrequire example.com/a v1.0.0\n", "", false, 2},
		"a language version is no release":           {"go.mod", "module m\n\ngo 1.20\n", "no exact Go release", false, 0},
		"a version that is a branch":                 {"go.mod", "module m\n\ngo 1.26.0\n\nrequire example.com/a main\n", "cannot be read", true, 0},
		"a file cut short":                           {"go.mod", inventorytest.GoMod[:150], "cannot be read", true, 0},
		"an unknown directive":                       {"go.mod", "module m\nfrobnicate x\n", "cannot be read", true, 0},
		"marks of a merge":                           {"go.mod", "module m\n<<<<<<< HEAD\nrequire example.com/a v1.0.0\n=======\n>>>>>>> side\n", "merge conflict", true, 0},
		"a workspace that replaces":                  {"go.work", "go 1.26.0\nuse .\nreplace example.com/a => example.com/b v1.0.0\n", "replace directives", true, 0},
		"a workspace that only joins":                {"go.work", "go 1.26.0\nuse .\n", "", false, 0},
		"an older toolchain than the language needs": {"go.mod", "module m\n\ngo 1.21\n\ntoolchain go1.22.3-custom\n", "", false, 1},
	} {
		_, found, gaps := inventoryOf(t, map[string]string{c.file: c.text})
		if len(found) != c.found {
			t.Errorf("%s: found %d: %+v", name, len(found), found)
		}
		if c.told != "" {
			gap(t, gaps, c.told, c.blocks)
		} else if len(gaps) > 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// A folder beside the tree is read by nobody, and must not be said to be judged.
func TestAReplacementOutsideOfTheTreeIsNotSaidToBeJudged(t *testing.T) {
	for folder, outside := range map[string]bool{"../lib": false, "../../lib": true, "/srv/lib": true, "./lib": false} {
		_, _, gaps := inventoryOf(t, map[string]string{"a/go.mod": "module m\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n\nreplace example.com/a => " + folder + "\n"})
		want := "which is judged by its own go.mod"
		if outside {
			want = "nothing here judges it"
		}
		gap(t, gaps, want, false)
	}
}

func TestReplaceForOneVersionGoesFirst(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"go.mod": "module m\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n\nreplace example.com/a v1.0.0 => example.com/x v1.5.0\n\nreplace example.com/a => example.com/y v1.6.0\n"})
	if len(found) != 1 || found[0].Name != "example.com/x" {
		t.Errorf("got %+v", found)
	}
}

// A service may be called vendor: only what go mod vendor filled is covered by another
// go.mod, and whatever is left out is told.
func TestVendoredFilesAreToldAndNotJudged(t *testing.T) {
	module := "module m\n\ngo 1.20\n\nrequire example.com/a v1.0.0\n"
	files := map[string]string{"services/vendor/go.mod": module, "services/vendor/x/go.mod": "nonsense", "lists/vendor/modules.txt": "# x\n", "lists/vendor/go.mod": module}
	_, found, gaps := inventoryOf(t, files)
	sameLines(t, found, "lists/vendor/go.mod:5 pkg:golang/example.com/a@v1.0.0 direct m>example.com/a", "services/vendor/go.mod:5 pkg:golang/example.com/a@v1.0.0 direct m>example.com/a")
	gap(t, gaps, "services/vendor/x/go.mod: it cannot be read", true)

	_, found, gaps = inventoryOf(t, map[string]string{"a/go.mod": "module m\n\ngo 1.20\n", "a/vendor/modules.txt": "# x\n", "a/vendor/x/go.mod": module, "a/vendor/y/go.mod": "nonsense"})
	gap(t, gaps, "a/vendor: the go.mod files in it were not judged", false)
	if len(found) > 0 || blocking(gaps) > 0 || len(gaps) != 2 { // the other is the Go release
		t.Errorf("found %+v, gaps %+v", found, gaps)
	}
	judged, found, gaps := inventoryOf(t, map[string]string{"a/node_modules/b/package-lock.json": "cut {", "a/node_modules/b/node_modules/c/package.json": "cut {", "node_modules/deno.lock": ""})
	gap(t, gaps, "a/node_modules: the manifests in it were not judged", false)
	gap(t, gaps, "node_modules: the manifests in it were not judged", false)
	if len(found) > 0 || blocking(gaps) > 0 || len(gaps) != 2 || judged != 0 {
		t.Errorf("found %+v, gaps %+v, inputs %d", found, gaps, judged)
	}
}

func TestTestDataIsToldAndNotJudged(t *testing.T) {
	judged, found, gaps := inventoryOf(t, map[string]string{"a/testdata/package-lock.json": "cut short {", "go.mod": "module m\n\ngo 1.20\n"})
	gap(t, gaps, "taken for test data", false)
	if len(found) > 0 || blocking(gaps) > 0 || judged != 1 {
		t.Errorf("found %+v, gaps %+v", found, gaps)
	}
}

// A file of 100,000 entries is read in a moment, and a file of more than is believable is
// refused.
func TestFilesOfManyEntries(t *testing.T) {
	const many = 100_000
	var mod, lock, reqs, crates, poms strings.Builder
	mod.WriteString("module m\n\ngo 1.20\n\nrequire (\n")
	lock.WriteString(`{"lockfileVersion":3,"packages":{"":{"dependencies":{"p0":"*"}}`)
	poms.WriteString("<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies>")
	for i := range many {
		fmt.Fprintf(&mod, "\texample.com/m%d v1.0.0\n", i)
		fmt.Fprintf(&lock, ",\n\"node_modules/p%d\":{\"version\":\"1.0.0\",\"dependencies\":{\"p%d\":\"*\",\"p%d\":\"*\"}}", i, (i+1)%many, i/2)
		fmt.Fprintf(&reqs, "p%d==1.0\n", i)
		fmt.Fprintf(&crates, "[[package]]\nname = \"c%d\"\nversion = \"1.0.0\"\nsource = \"r\"\ndependencies = [\"c%d\"]\n", i, (i+1)%many)
		fmt.Fprintf(&poms, "<dependency><groupId>g</groupId><artifactId>d%d</artifactId><version>1</version></dependency>\n", i)
	}
	mod.WriteString(")\n")
	lock.WriteString("}}")
	poms.WriteString("</dependencies></project>")
	for file, text := range map[string]string{"go.mod": mod.String(), "package-lock.json": lock.String(), "requirements.txt": reqs.String(), "Cargo.lock": crates.String(), "pom.xml": poms.String()} {
		start := time.Now()
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		if len(found) != many || blocking(gaps) > 0 {
			t.Errorf("%s: %d components, gaps %+v", file, len(found), gaps[:min(len(gaps), 3)])
		}
		t.Logf("%s: %d bytes in %v", file, len(text), time.Since(start))
	}
	var huge strings.Builder
	for i := range maxComponents + 2 {
		fmt.Fprintf(&huge, "p%d==1.0\n", i)
	}
	_, _, gaps := inventoryOf(t, map[string]string{"requirements.txt": huge.String()})
	gap(t, gaps, "more than 200000", true)
}

func FuzzLockfiles(f *testing.F) {
	f.Add(uint8(0), []byte(inventorytest.GoMod))
	f.Add(uint8(1), []byte(inventorytest.PackageLock))
	f.Add(uint8(1), []byte(inventorytest.OldPackageLock))
	f.Add(uint8(2), []byte(requirementsText))
	f.Add(uint8(3), []byte(inventorytest.CargoLock))
	f.Add(uint8(4), []byte(pomChild))
	f.Add(uint8(5), []byte(`{"dependencies":{"a":"1"}}`))
	f.Add(uint8(6), []byte("[dependencies]\na = \"1\"\n"))
	f.Add(uint8(9), []byte("example.com/a v1.0.0 h1:AAAA=\n"))
	f.Add(uint8(1), []byte(`{"packages":{"node_modules/a":{"version":"1.0.0","resolved":"https://a@b//c:d@e?f#g","integrity":"sha512-AAAA"}}}`))
	f.Add(uint8(7), []byte("[project]\ndependencies = [\"a\"]\n"))
	files := []string{"go.mod", "package-lock.json", "requirements.txt", "Cargo.lock", "pom.xml", "package.json", "Cargo.toml", "pyproject.toml", "go.work", "go.sum"}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		s := NewSet()
		s.Add(files[int(which)%len(files)], content)
		found, _ := s.Finish(false)
		for _, d := range found {
			if d.Name == "" || d.Version == "" || d.PURL == "" || d.Line < 0 || len(d.Path) > maxPathLength {
				t.Errorf("a component without a name: %+v", d)
			}
			if u, err := url.Parse(d.From); err != nil || u.User != nil || u.RawQuery != "" {
				t.Errorf("an address that may hold a credential: %q", d.From)
			}
		}
	})
}
