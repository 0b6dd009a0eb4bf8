package ci

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/ci/inventory"
)

// unsafeOf gives the keys of what the check tells about some files, sorted.
func unsafeOf(t *testing.T, files map[string]string) (keys []string, r verdict.Report) {
	t.Helper()
	r = ran(t, folderOf(t, files), Options{Now: noon}).Reports[2]
	for _, h := range r.Hits {
		keys = append(keys, h.Key)
		if h.Message == "" || h.Fix == "" || h.Path == "" || h.Severity == "" {
			t.Errorf("a hit says too little: %+v", h)
		}
	}
	slices.Sort(keys)
	return keys, r
}

const sha512 = "sha512-v2kDEe57lecTulaDIuNTPy3Ry4gLGJ6Z1O3vE1krgXZNrsQ+LFTGHVxVjcXPs17LhbZVGedAJv8XZ1tvj5FvSg=="

// npmLockOf writes a lockfile with these packages; each is the members of one.
func npmLockOf(packages ...string) string {
	return `{"lockfileVersion": 3, "packages": {` + strings.Join(append([]string{`"": {"name": "app"}`}, packages...), ", ") + `}}`
}

func npmEntry(name, version, more string) string {
	return fmt.Sprintf(`"node_modules/%s": {"version": %q, "integrity": %q%s}`, name, version, sha512, more)
}

func TestWhatIsUnsafeAboutATree(t *testing.T) {
	left := npmEntry("left", "1.2.5", "")
	goSumLine := func(m, v string) string {
		return m + " " + v + " h1:1QivrlhwAsnMOcqgOdl9my7s9OyZl8O5/UGUTJVXoWc=\n" + m + " " + v + "/go.mod h1:hbSIYA/amXcRXTFSZqh8tWHEoqRvvbKPJ2uz/KU+a+s=\n"
	}
	gomod := "module m\n\ngo 1.26.0\n\nrequire (\n\texample.com/a v1.0.0\n\texample.com/b v1.0.0 // indirect\n)\n"
	crate := func(name, more string) string {
		return "[[package]]\nname = \"" + name + "\"\nversion = \"1.0.0\"\nsource = \"registry+https://github.com/rust-lang/crates.io-index\"\n" + more + "\n"
	}
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"a tree without dependency files has nothing to judge": {map[string]string{"a.txt": "a"}, nil},
		"a project that asks for nothing needs no lockfile":    {map[string]string{"package.json": `{"name": "a"}`}, nil},
		"a package.json without a lockfile":                    {map[string]string{"web/package.json": `{"dependencies": {"left": "^1.0.0"}}`}, []string{"lockfile-missing:web/package.json"}},
		"a package.json in step with its lockfile": {map[string]string{
			"package.json": `{"dependencies": {"left": "^1.2.0"}}`, "package-lock.json": npmLockOf(left)}, nil},
		"a package that the lockfile does not name": {map[string]string{
			"package.json": `{"dependencies": {"left": "^1.2.0", "right": "1.0.0"}}`, "package-lock.json": npmLockOf(left)}, []string{"lockfile-out-of-step:right:package.json"}},
		"a range that the locked version is not in": {map[string]string{
			"package.json": `{"dependencies": {"left": "^2.0.0"}}`, "package-lock.json": npmLockOf(left)}, []string{"lockfile-out-of-step:left:package.json"}},
		"a workspace is locked by the lockfile above": {map[string]string{
			"packages/x/package.json": `{"dependencies": {"left": "1.2.5"}}`, "package-lock.json": npmLockOf(`"packages/x": {"version": "1.0.0"}`, left)}, nil},
		"a project below a lockfile that does not know it": {map[string]string{
			".tools/x/package.json": `{"dependencies": {"left": "1.2.5"}}`, "package-lock.json": npmLockOf(left)}, []string{"lockfile-missing:.tools/x/package.json"}},
		"each lockfile beside a package.json has to answer it": {map[string]string{
			"package.json": `{"dependencies": {"left": "1.2.5"}}`, "package-lock.json": npmLockOf(), "yarn.lock": ""}, []string{"lockfile-out-of-step:left:package.json", "lockfile-out-of-step:yarn.lock"}},
		"a locked package without a hash": {map[string]string{"package-lock.json": npmLockOf(`"node_modules/left": {"version": "1.2.5"}`)}, []string{"hash-missing:left@1.2.5:package-lock.json"}},
		"a package inside of another has the other's hash": {map[string]string{
			"package-lock.json": npmLockOf(left, `"node_modules/left/node_modules/in": {"version": "1.0.0", "inBundle": true}`)}, nil},
		"a package at a commit needs no hash": {map[string]string{
			"package-lock.json": npmLockOf(`"node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/acme/g.git#` + strings.Repeat("a", 40) + `"}`)}, nil},
		"a package at a branch can become another": {map[string]string{
			"package-lock.json": npmLockOf(`"node_modules/g": {"version": "1.0.0", "resolved": "git+ssh://git@github.com/acme/g.git#main"}`)},
			[]string{"hash-missing:g@1.0.0:package-lock.json", "mutable-reference:g@1.0.0:package-lock.json"}},
		"a scope from two registries": {map[string]string{
			"package-lock.json": npmLockOf(npmEntry("@acme/a", "1.0.0", `, "resolved": "https://npm.acme.example/@acme/a.tgz"`), npmEntry("@acme/b", "1.0.0", `, "resolved": "`+"https://registry."+"npmjs.org"+`/@acme/b.tgz"`))},
			[]string{"registries-mixed:@acme:package-lock.json"}},
		"a go.mod with every sum":                     {map[string]string{"go.mod": gomod, "go.sum": goSumLine("example.com/a", "v1.0.0") + goSumLine("example.com/b", "v1.0.0")}, nil},
		"a go.mod without go.sum":                     {map[string]string{"go.mod": gomod}, []string{"lockfile-missing:go.mod"}},
		"a go.mod whose go.sum is of another version": {map[string]string{"go.mod": gomod, "go.sum": goSumLine("example.com/a", "v1.0.0") + goSumLine("example.com/b", "v1.0.1")}, []string{"lockfile-out-of-step:example.com/b:go.mod"}},
		"a module of which the build takes no package has the sum of its go.mod alone": {map[string]string{
			"go.mod": gomod, "go.sum": goSumLine("example.com/a", "v1.0.0") + "example.com/b v1.0.0/go.mod h1:hbSIYA/amXcRXTFSZqh8tWHEoqRvvbKPJ2uz/KU+a+s=\n"}, nil},
		"a workspace of Go has the sums beside go.work": {map[string]string{"x/go.mod": gomod, "go.work.sum": goSumLine("example.com/a", "v1.0.0") + goSumLine("example.com/b", "v1.0.0")}, nil},
		"a crate without Cargo.lock":                    {map[string]string{"Cargo.toml": "[dependencies]\nserde = \"1\"\n"}, []string{"lockfile-missing:Cargo.toml"}},
		"a crate that Cargo.lock does not name, by its real name": {map[string]string{
			"Cargo.toml": "[dependencies]\nserde_json = \"1\"\nmine = {package = \"theirs\", version = \"1\"}\nshared = {workspace = true}\n[target.'cfg(unix)'.dependencies]\nunix = \"1\"\n",
			"Cargo.lock": crate("serde-json", `checksum = "`+hex32+`"`) + crate("theirs", `checksum = "`+hex32+`"`)}, []string{"lockfile-out-of-step:unix:Cargo.toml"}},
		"a crate without a checksum": {map[string]string{"Cargo.lock": crate("serde", "")}, []string{"hash-missing:serde@1.0.0:Cargo.lock"}},
		"a range in requirements, and pins without hashes": {map[string]string{"requirements.txt": "django>=4\nflask==3.0.0\n"},
			[]string{"hashes-not-recorded:requirements.txt", "unpinned:django:requirements.txt"}},
		"one pin without a hash among others": {map[string]string{"requirements.txt": "django==4.2.1 --hash=sha256:" + hex32 + "\nflask==3.0.0\n"},
			[]string{"hash-missing:flask@3.0.0:requirements.txt"}},
		"a pyproject.toml that nothing pins": {map[string]string{"pyproject.toml": "[project]\ndependencies = [\"django\"]\n"}, []string{"lockfile-missing:pyproject.toml"}},
		"a range of Maven": {map[string]string{"pom.xml": `<project><groupId>g</groupId><artifactId>a</artifactId><version>1</version><dependencies><dependency><groupId>org.log</groupId><artifactId>core</artifactId><version>[1,2)</version></dependency></dependencies></project>`},
			[]string{"unpinned:org.log:core:pom.xml"}},
	} {
		t.Run(name, func(t *testing.T) {
			got, r := unsafeOf(t, c.files)
			if !slices.Equal(got, c.want) {
				t.Errorf("told: %q\nwant: %q\nnot checked: %+v", got, c.want, r.NotChecked)
			}
		})
	}
}

// What is told to be unsafe is not told once more as not judged; what cannot be read is
// still not known.
func TestWhatIsUnsafeIsJudgedAndWhatCannotBeReadIsNot(t *testing.T) {
	reports := ran(t, folderOf(t, map[string]string{"package.json": `{"dependencies": {"left": "^1.0.0"}}`}), Options{}).Reports
	if reports[1].Complete || !reports[2].Complete || len(reports[2].Hits) != 1 {
		t.Errorf("without a lockfile: %+v", reports[1:])
	}
	for name, files := range map[string]map[string]string{
		"a lockfile that is cut":           {"package-lock.json": `{"lockfileVersion": 3, "packages": {`},
		"a lockfile with marks of a merge": {"Cargo.lock": "<<<<<<< a\n[[package]]\n=======\n>>>>>>> b\n"},
		"an ecosystem that is not read":    {"environment.yml": "dependencies:\n  - numpy\n"},
	} {
		if keys, r := unsafeOf(t, files); r.Complete || len(keys) > 0 {
			t.Errorf("%s: complete %v, told %q", name, r.Complete, keys)
		}
	}
	if _, r := unsafeOf(t, map[string]string{"a.txt": "a"}); !r.Complete || !told(r, "nothing to judge") {
		t.Errorf("nothing to judge: %+v", r)
	}
}

func TestWhatOnlyAComparisonWithTheBaseShows(t *testing.T) {
	other := strings.Replace(sha512, "v2kD", "AAAA", 1)
	lock := func(version, integrity, more string) string {
		return npmLockOf(fmt.Sprintf(`"node_modules/left": {"version": %q, "integrity": %q%s}`, version, integrity, more))
	}
	requirements := func(hashes ...string) string {
		s := "django==4.2.1"
		for _, h := range hashes {
			s += " --hash=sha256:" + strings.Repeat(h, 64)
		}
		return s + "\n"
	}
	script := `, "hasInstallScript": true`
	old := `{"lockfileVersion": 1, "dependencies": {"left": {"version": "1.0.0", "integrity": "` + sha512 + `"}}}`
	for name, c := range map[string]struct{ file, was, is, want string }{
		"the same version with another hash":             {"package-lock.json", lock("1.0.0", sha512, ""), lock("1.0.0", other, ""), "hash-changed:left@1.0.0:package-lock.json"},
		"another version with another hash":              {"package-lock.json", lock("1.0.0", sha512, ""), lock("1.0.1", other, ""), ""},
		"another wheel of the same release":              {"requirements.txt", requirements("a"), requirements("a", "b"), ""},
		"no hash in common":                              {"requirements.txt", requirements("a", "b"), requirements("c"), "hash-changed:django@4.2.1:requirements.txt"},
		"an update that brings a program":                {"package-lock.json", lock("1.0.0", sha512, ""), lock("1.0.1", other, script), "install-script-added:left@1.0.1:package-lock.json"},
		"a program that was there before":                {"package-lock.json", lock("1.0.0", sha512, script), lock("1.0.1", other, script), ""},
		"a lockfile before, which does not tell":         {"package-lock.json", old, lock("1.0.1", other, script), ""},
		"a sum of Go for the same version":               {"go.sum", "example.com/a v1.0.0 h1:1QivrlhwAsnMOcqgOdl9my7s9OyZl8O5/UGUTJVXoWc=\n", "example.com/a v1.0.0 h1:2QivrlhwAsnMOcqgOdl9my7s9OyZl8O5/UGUTJVXoWc=\n", "hash-changed:example.com/a@v1.0.0:go.mod"},
		"a lockfile that nobody touched shows no change": {"package-lock.json", lock("1.0.0", sha512, script), lock("1.0.0", sha512, script), ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := map[string]string{c.file: c.was}
			if c.file == "go.sum" {
				files["go.mod"] = "module m\n\ngo 1.26.0\n\nrequire example.com/a v1.0.0\n"
			}
			dir, base := committed(t, files)
			write(t, dir, c.file, c.is)
			write(t, dir, "a.txt", "a")
			commitAll(t, dir)
			r := ran(t, dir, Options{Base: base}).Reports[2]
			var got []string
			for _, h := range r.Hits {
				if h.Old {
					t.Errorf("what the change brings is called old: %+v", h)
				}
				if h.Detector != inventory.HashesNone {
					got = append(got, h.Key)
				}
			}
			if strings.Join(got, " ") != c.want {
				t.Errorf("told %q, want %q", got, c.want)
			}
		})
	}
}

// Adoption without a flood needs old findings told from new ones, and a lockfile that is
// taken away told as new.
func TestUnsafeDependenciesAreOldWhereTheBaseHasThem(t *testing.T) {
	dir, base := committed(t, map[string]string{
		"a/package.json": `{"dependencies": {"left": "1.2.5"}}`, "b/package.json": `{"dependencies": {"left": "1.2.5"}}`, "b/package-lock.json": npmLockOf(npmEntry("left", "1.2.5", "")),
	})
	olds := func() map[string]bool {
		out := map[string]bool{}
		for _, h := range ran(t, dir, Options{Base: base}).Reports[2].Hits {
			out[h.Key] = h.Old
		}
		return out
	}
	write(t, dir, "readme.md", "a")
	commitAll(t, dir)
	if got := olds(); len(got) != 1 || !got["lockfile-missing:a/package.json"] {
		t.Errorf("a change elsewhere: %v", got)
	}
	must(t, os.Remove(filepath.Join(dir, "b/package-lock.json")))
	commitAll(t, dir)
	got := olds()
	if isOld, there := got["lockfile-missing:b/package.json"]; len(got) != 2 || !there || isOld || !got["lockfile-missing:a/package.json"] {
		t.Errorf("a lockfile was taken away: %v", got)
	}
}

// Names in lockfiles are foreign text: what is told of them has to stay one line of a
// document, and its keys apart.
func TestHostileNamesAreTold(t *testing.T) {
	name := "a\\u0000\\n::error::x"
	keys, _ := unsafeOf(t, map[string]string{
		"package.json":      `{"dependencies": {"` + name + `": "1.0.0", "--force": "1"}}`,
		"package-lock.json": npmLockOf(),
	})
	if len(keys) != 2 {
		t.Errorf("told %q", keys)
	}
	many := strings.Repeat("a==1.0.0\nb>1\n", 3)
	if keys, _ := unsafeOf(t, map[string]string{"requirements.txt": many}); !slices.Equal(keys, []string{"hashes-not-recorded:requirements.txt", "unpinned:b:requirements.txt"}) {
		t.Errorf("keys repeat: %q", keys)
	}
}

// What is left out of one check is not left out of the other: their questions differ.
func TestAFileThatIsLeftOutOfOneCheckIsJudgedByTheOther(t *testing.T) {
	dir := folderOf(t, map[string]string{"old/package.json": `{"dependencies": {"left": "1.2.5"}}`})
	for check, want := range map[string][2]bool{VulnerabilitiesCheck: {true, false}, DependenciesCheck: {false, true}} {
		file := "schema: verdict-ignore/v1\nleft_out: [{path: old, checks: [" + check + "], reason: never built, owner: ada, expires: 2099-01-01}]\n"
		reports := ran(t, dir, Options{Now: noon, Ignore: []byte(file)}).Reports
		got := [2]bool{reports[1].Complete, len(reports[2].Hits) == 0}
		if got != want {
			t.Errorf("left out of %s: vulnerabilities complete %v, dependencies silent %v; told %+v", check, got[0], got[1], reports[2].NotChecked)
		}
	}
}
