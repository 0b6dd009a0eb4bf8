package inventory

import (
	"fmt"
	"net/url"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/ci/wording"
)

// toldBeside compares what a bill of materials takes from components beside their names.
func toldBeside(t *testing.T, found []Dependency, want ...string) {
	t.Helper()
	var got []string
	for _, d := range found {
		needs := "untold"
		if d.Needs != nil {
			needs = fmt.Sprint(d.Needs)
		}
		got = append(got, fmt.Sprintf("%s needs %s hashes %d from %s", d.Name, needs, len(d.Hashes), d.From))
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
	if strings.Contains(fmt.Sprintf("%+v", found), "s3cret") {
		t.Errorf("a credential is kept: %+v", found)
	}
}

// Packages that need each other have shortest ways that end, in every format.
func TestCyclesOfLockedPackagesEnd(t *testing.T) {
	for file, text := range map[string]string{
		"pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters: {.: {dependencies: {a: {version: 1.0.0}}}}\npackages: {a@1.0.0: {}, b@1.0.0: {}}\nsnapshots: {a@1.0.0: {dependencies: {b: 1.0.0}}, b@1.0.0: {dependencies: {a: 1.0.0, b: 1.0.0}}}\n",
		"yarn.lock": "__metadata: {version: 8}\nweb@workspace:.: {resolution: 'web@workspace:.', dependencies: {a: 1}}\n" +
			"a@npm:1: {version: 1.0.0, resolution: 'a@npm:1.0.0', dependencies: {b: 1}}\nb@npm:1: {version: 1.0.0, resolution: 'b@npm:1.0.0', dependencies: {a: 1, b: 1}}\n",
		"bun.lock":    `{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"a":"1"}}},"packages":{"a":["a@1.0.0","",{"dependencies":{"b":"1"}}],"b":["b@1.0.0","",{"dependencies":{"a":"1","b":"1"}}]}}`,
		"uv.lock":     "version = 1\n[[package]]\nname = \"app\"\nsource = {virtual = \".\"}\ndependencies = [{name = \"a\"}]\n[[package]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [{name = \"b\"}]\n[[package]]\nname = \"b\"\nversion = \"1.0.0\"\ndependencies = [{name = \"a\"}, {name = \"b\"}]\n",
		"pylock.toml": "lock-version = \"1.0\"\n[[packages]]\nname = \"a\"\nversion = \"1.0.0\"\ndependencies = [{name = \"b\"}]\n[[packages]]\nname = \"b\"\nversion = \"1.0.0\"\ndependencies = [{name = \"a\"}, {name = \"b\"}]\n",
	} {
		files := map[string]string{file: text}
		if file == "pylock.toml" {
			files["pyproject.toml"] = "[project]\nname = \"app\"\ndependencies = [\"a\"]\n"
		}
		_, found, gaps := inventoryOf(t, files)
		if len(found) != 2 || blocking(gaps) > 0 {
			t.Errorf("%s: found %+v, gaps %+v", file, found, gaps)
			continue
		}
		if a, b := found[0], found[1]; !a.Direct || len(a.Path) != 2 || b.Direct || len(b.Path) != 3 || b.Path[1] != "a" || !slices.Equal(b.Needs, []string{"a@1.0.0"}) {
			t.Errorf("%s: %+v", file, found)
		}
	}
}

// manyLocked writes lockfiles of n packages, each of which needs two others.
func manyLocked(n int) map[string]string {
	var pnpm, snapshots, yarn, berry, bun, poetry, uv, pdm, pipfile, pylock strings.Builder
	pnpm.WriteString("lockfileVersion: '9.0'\npackages:\n")
	snapshots.WriteString("snapshots:\n")
	berry.WriteString("__metadata:\n  version: 8\n")
	bun.WriteString(`{"lockfileVersion":1,"packages":{`)
	poetry.WriteString("[metadata]\nlock-version = \"2.1\"\n")
	uv.WriteString("version = 1\n")
	pdm.WriteString("[metadata]\nlock_version = \"4.5.0\"\n")
	pipfile.WriteString(`{"_meta":{},"default":{"x":{"version":"==1.0"}`)
	pylock.WriteString("lock-version = \"1.0\"\n")
	for i := range n {
		a, b := (i+1)%n, i/2
		fmt.Fprintf(&pnpm, "  p%d@1.0.0: {resolution: {integrity: %s}}\n", i, sri)
		fmt.Fprintf(&snapshots, "  p%d@1.0.0:\n    dependencies: {p%d: 1.0.0, q: p%d@1.0.0}\n", i, a, b)
		fmt.Fprintf(&yarn, "p%d@^1:\n  version \"1.0.0\"\n  integrity %s\n  dependencies:\n    p%d \"^1\"\n    p%d \"^1\"\n\n", i, sri, a, b)
		fmt.Fprintf(&berry, "\"p%d@npm:1\":\n  version: 1.0.0\n  resolution: \"p%d@npm:1.0.0\"\n  dependencies:\n    p%d: 1\n", i, i, a)
		fmt.Fprintf(&bun, "\n\"p%d\":[\"p%d@1.0.0\",\"\",{\"dependencies\":{\"p%d\":\"1\",\"p%d\":\"1\"}},\"%s\"],", i, i, a, b, sri)
		fmt.Fprintf(&poetry, "[[package]]\nname = \"p%d\"\nversion = \"1.0\"\nfiles = [{file = \"a\", hash = \"%s\"}]\n[package.dependencies]\np%d = \"*\"\n", i, sha256Zero, a)
		fmt.Fprintf(&uv, "[[package]]\nname = \"p%d\"\nversion = \"1.0\"\nsource = {registry = \"https://pypi.org/simple\"}\ndependencies = [{name = \"p%d\"}]\n", i, a)
		fmt.Fprintf(&pdm, "[[package]]\nname = \"p%d\"\nversion = \"1.0\"\ndependencies = [\"p%d>1\"]\n", i, a)
		fmt.Fprintf(&pipfile, ",\n\"p%d\":{\"version\":\"==1.0\"}", i)
		fmt.Fprintf(&pylock, "[[packages]]\nname = \"p%d\"\nversion = \"1.0\"\n", i)
	}
	return map[string]string{
		"pnpm-lock.yaml": pnpm.String() + snapshots.String(), "yarn.lock": yarn.String(), "berry/yarn.lock": berry.String(), "bun.lock": bun.String() + "}}", "poetry.lock": poetry.String(),
		"uv.lock": uv.String(), "pdm.lock": pdm.String(), "Pipfile.lock": pipfile.String() + "}}", "pylock.toml": pylock.String(),
	}
}

// A lockfile of 100,000 entries is read in seconds and in a bounded part of the memory,
// and one of more than is believable is refused.
func TestLockfilesOfManyEntries(t *testing.T) {
	const many = 100_000
	for file, text := range manyLocked(many) {
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		start := time.Now()
		_, found, gaps := inventoryOf(t, map[string]string{file: text})
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		if n := len(found); n != many && n != many+1 || blocking(gaps) > 0 {
			t.Errorf("%s: %d components, gaps %+v", file, n, gaps[:min(len(gaps), 3)])
		}
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 20
		if allocated > 1500 || took > time.Minute {
			t.Errorf("%s: %d bytes took %v and %d MiB", file, len(text), took, allocated)
		}
		t.Logf("%s: %d bytes in %v, %d MiB allocated", file, len(text), took, allocated)
	}
	huge := "__metadata: {version: 8}\n" + strings.Repeat(" ", maxYAMLBytes)
	_, _, gaps := inventoryOf(t, map[string]string{"yarn.lock": huge})
	gap(t, gaps, "larger than 32 MiB", true)
	var crowd strings.Builder
	for i := range maxComponents + 1 {
		fmt.Fprintf(&crowd, "p%d@1:\n  version \"1.0.0\"\n", i)
	}
	_, _, gaps = inventoryOf(t, map[string]string{"yarn.lock": crowd.String()})
	gap(t, gaps, "more than 200000", true)
}

// Many of one name that all need that name are many times many links.
func TestLinksBetweenPackagesAreBounded(t *testing.T) {
	var b strings.Builder
	b.WriteString("[metadata]\nlock-version = \"2.1\"\n")
	for i := range 5000 {
		fmt.Fprintf(&b, "[[package]]\nname = \"a\"\nversion = \"1.%d\"\n[package.dependencies]\na = \"*\"\n", i)
	}
	_, found, gaps := inventoryOf(t, map[string]string{"poetry.lock": b.String()})
	if len(found) != 5000 {
		t.Errorf("found %d", len(found))
	}
	gap(t, gaps, "links between packages", true)
}

// A file can leave any number of things open. What is told of them has a bound, and says
// that there are more.
func TestGapsOfALockfileAreBounded(t *testing.T) {
	var b strings.Builder
	for i := range 3 * wording.MaxNotChecked {
		fmt.Fprintf(&b, "p%d@link:x:\n  version \"0.0.0\"\n", i)
	}
	_, _, gaps := inventoryOf(t, map[string]string{"yarn.lock": b.String() + "\"a b@1\":\n  version \"1.0.0\"\n"})
	if len(gaps) > 2*wording.MaxNotChecked+2 {
		t.Errorf("%d gaps", len(gaps))
	}
	gaps = slices.DeleteFunc(gaps, func(n verdict.NotChecked) bool { return strings.Contains(n.Reason, "folder or file") })
	gap(t, gaps, fmt.Sprintf("%d more of these", 2*wording.MaxNotChecked), false)
	gap(t, gaps, "names a component that cannot be: a b", true)
}

func TestOneFolderWithTwoLockfilesIsJudgedByBoth(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"package.json": `{"dependencies":{"a":"1"}}`, "yarn.lock": "a@1:\n  version \"1.0.0\"\n", "package-lock.json": `{"lockfileVersion":3,"packages":{"":{},"node_modules/a":{"version":"1.0.1"}}}`,
		"sub/package.json": `{"dependencies":{"b":"1"}}`, "sub/package-lock.json": `{"lockfileVersion":3,"packages":{"":{},"node_modules/b":{"version":"1.0.0"}}}`,
	})
	sameLines(t, found, "package-lock.json:1 pkg:npm/a@1.0.1 direct this project>a", "sub/package-lock.json:1 pkg:npm/b@1.0.0 direct this project>b", "yarn.lock:1 pkg:npm/a@1.0.0 direct this project>a")
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

// Git on Windows gives lines other ends.
func TestLockfilesWithOtherLineEnds(t *testing.T) {
	for file, text := range map[string]string{
		"pnpm-lock.yaml": pnpmLock9, "yarn.lock": yarnClassic, "berry/yarn.lock": yarnBerry, "bun.lock": bunLockText, "poetry.lock": poetryLock2, "uv.lock": uvLockText, "pdm.lock": pdmLockText, "Pipfile.lock": pipfileLockText, "pylock.toml": pylockText,
	} {
		_, plain, _ := inventoryOf(t, map[string]string{file: text})
		_, found, gaps := inventoryOf(t, map[string]string{file: "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n")})
		if len(plain) == 0 || !slices.EqualFunc(plain, found, func(a, b Dependency) bool { return line(a) == line(b) }) || blocking(gaps) > 0 {
			t.Errorf("%s: %d components, %d with other line ends, gaps %+v", file, len(plain), len(found), gaps)
		}
	}
}

// A lockfile is changed by its tool: an edit by hand would break it.
func TestTheFixOfALockedPackageIsACommandOfItsTool(t *testing.T) {
	x := verdict.Vulnerability{ID: "V", Fixed: "2.0.0"}
	for _, c := range []struct{ source, ecosystem, direct, deep string }{
		{"a/pnpm-lock.yaml", EcosystemNPM, "in a: pnpm update --recursive lib@2.0.0", "in a: take a version of top that needs lib 2.0.0 or later: pnpm update --recursive top"},
		{"yarn.lock", EcosystemNPM, "yarn add lib@2.0.0", "take a version of top that needs lib 2.0.0 or later, or put lib under resolutions in package.json: yarn install"},
		{"bun.lock", EcosystemNPM, "bun add lib@2.0.0", "take a version of top that needs lib 2.0.0 or later: bun update top"},
		{"package-lock.json", EcosystemNPM, "npm install lib@2.0.0", "take a version of top that needs lib 2.0.0 or later: npm audit fix"},
		{"poetry.lock", EcosystemPyPI, "allow lib 2.0.0 in pyproject.toml: poetry update lib", "poetry update lib, and top where it forbids lib 2.0.0"},
		{"uv.lock", EcosystemPyPI, "uv lock --upgrade-package lib==2.0.0", "uv lock --upgrade-package lib==2.0.0"},
		{"pdm.lock", EcosystemPyPI, "allow lib 2.0.0 in pyproject.toml: pdm update lib", "pdm update lib, and top where it forbids lib 2.0.0"},
		{"Pipfile.lock", EcosystemPyPI, "pipenv upgrade lib==2.0.0", "pipenv upgrade lib==2.0.0"},
		{"pylock.prod.toml", EcosystemPyPI, "lock again with lib 2.0.0 or later", "lock again with lib 2.0.0 or later"},
		{"requirements.txt", EcosystemPyPI, "write lib==2.0.0 in line 7 of requirements.txt", "write lib==2.0.0 in line 7 of requirements.txt"},
	} {
		d := Dependency{Component: verdict.Component{Ecosystem: c.ecosystem, Name: "lib", Version: "1.0.0"}, Source: c.source, Line: 7, Direct: true, Path: []string{"app", "lib"}}
		if got := Fix(d, x); got != c.direct {
			t.Errorf("%s: %q", c.source, got)
		}
		d.Direct, d.Path = false, []string{"app", "top", "lib"}
		if got := Fix(d, x); got != c.deep {
			t.Errorf("%s: %q", c.source, got)
		}
	}
}

func TestAddressesAreToldWithoutCredentials(t *testing.T) {
	for address, want := range map[string]string{
		"https://u:s3cret@x.example/a?token=s3cret": "https://x.example/a", "git@x.example:a/b.git": "git@x.example:a/b.git", "file:../a\xff": `file:../a\xff`,
	} {
		if got := shownAddress(address); got != want {
			t.Errorf("%q is told as %q, want %q", address, got, want)
		}
	}
}

func FuzzLocked(f *testing.F) {
	files := []string{"pnpm-lock.yaml", "yarn.lock", "bun.lock", "poetry.lock", "uv.lock", "pdm.lock", "Pipfile.lock", "pylock.toml", "Pipfile", "pyproject.toml", "package.json"}
	for which, text := range map[int]string{0: pnpmLock9, 1: yarnClassic, 2: bunLockText, 3: poetryLock1, 4: uvLockText, 5: pdmLockText, 6: pipfileLockText, 7: pylockText, 8: "[packages]\na = \"*\"\n", 9: poetryProject, 10: `{"name":"a","workspaces":["b/**"],"dependencies":{"a":"1"}}`} {
		f.Add(uint8(which), []byte(text))
	}
	f.Add(uint8(0), []byte(pnpmLock5))
	f.Add(uint8(0), []byte(pnpmLock6))
	f.Add(uint8(1), []byte(yarnBerry))
	f.Add(uint8(3), []byte(poetryLock2))
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		s := NewSet()
		s.Add("package.json", []byte(`{"name":"web","dependencies":{"left":"^1.0.0"},"devDependencies":{"tester":"2"}}`))
		s.Add("pyproject.toml", []byte(poetryProject))
		s.Add(files[int(which)%len(files)], content)
		found, _ := s.Finish(false)
		known := map[string]bool{}
		for _, d := range found {
			known[d.Name+"@"+d.Version] = true
		}
		for _, d := range found {
			if d.Name == "" || d.Version == "" || d.PURL == "" || d.Line < 0 || len(d.Path) > maxPathLength || strings.ContainsAny(d.Name+d.Version, " ;'\"$`\n") {
				t.Errorf("a component that cannot be: %+v", d)
			}
			if u, err := url.Parse(d.From); err != nil || u.User != nil || u.RawQuery != "" {
				t.Errorf("an address that may hold a credential: %q", d.From)
			}
			unknown := func(need string) bool { return !known[need] }
			if d.Direct && len(d.Path) != 2 || !slices.IsSorted(d.Needs) || slices.ContainsFunc(d.Needs, unknown) {
				t.Errorf("a way that cannot be: %+v", d)
			}
		}
		if len(s.failed) > 0 && len(known) > 0 {
			t.Errorf("a file that cannot be read names components: %+v", s.failed)
		}
	})
}
