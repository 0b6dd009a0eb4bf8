package inventory

import (
	"fmt"
	"strings"
	"testing"

	"verdict/ci/inventory/inventorytest"
	"verdict/ci/plain"
)

func TestPackageLockWithPackages(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"package-lock.json": inventorytest.PackageLock})
	sameLines(t, found,
		"package-lock.json:5 pkg:npm/left@1.2.0 direct web>left",
		"package-lock.json:6 pkg:npm/deep@1.0.0",
		"package-lock.json:10 pkg:npm/%40scope/x@3.0.0 web>left>deep>@scope/x",
		"package-lock.json:11 pkg:npm/deep@0.9.0 web>left>deep",
		"package-lock.json:12 pkg:npm/tester@2.0.0 direct dev web>tester",
		"package-lock.json:15 pkg:npm/only-shared@1.1.1 direct shared>only-shared",
		"package-lock.json:16 pkg:npm/real-name@5.0.0",
		"package-lock.json:18 pkg:npm/unused@9.9.9",
	)
	gap(t, gaps, "from-git comes from an address", false)
}

func TestOldPackageLockTakesTheProjectsWishesFromPackageJSON(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"web/package-lock.json": inventorytest.OldPackageLock, "web/package.json": `{"dependencies":{"left":"^1"},"devDependencies":{"deep":"1"}}`})
	sameLines(t, found,
		"web/package-lock.json:7 pkg:npm/left@1.2.0 direct this project>left",
		"web/package-lock.json:11 pkg:npm/deep@0.9.0 this project>left>deep",
		"web/package-lock.json:14 pkg:npm/deep@1.0.0 direct dev this project>deep",
		"web/package-lock.json:15 pkg:npm/real@2.0.0",
	)
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestBothFormsOfAPackageLockCount(t *testing.T) {
	both := `{"lockfileVersion":2,"packages":{"":{},"node_modules/a":{"version":"2.0.0"}},"dependencies":{"a":{"version":"2.0.0"},"b":{"version":"1.0.0"},"c":{"version":"file:c"}}}`
	_, found, _ := inventoryOf(t, map[string]string{"package-lock.json": both})
	sameLines(t, found, "package-lock.json:1 pkg:npm/a@2.0.0", "package-lock.json:1 pkg:npm/b@1.0.0")
}

// npm reads keys by their exact names and takes the last of several: a file must not
// show us another version than it shows npm.
func TestKeysOfAPackageLockAreExact(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"Packages":{"node_modules/decoy":{"version":"1.0.0"}},
		"packages":{"node_modules/a":{"version":"1.0.0","Version":"9.9.9","VERSION":"9.9.9"},"node_modules/b":{"version":"1.0.0","version":"2.0.0"},"node_modules/b":{"version":"3.0.0"}}}`})
	sameLines(t, found, "package-lock.json:2 pkg:npm/a@1.0.0", "package-lock.json:2 pkg:npm/b@2.0.0", "package-lock.json:2 pkg:npm/b@3.0.0")
}

// npm installs the tarball. A version beside the tarball of another would pass with what is
// vulnerable in that.
func TestAPackageLockThatDownloadsAnotherRelease(t *testing.T) {
	home := "https://registry." + "npmjs.org"
	for name, c := range map[string]struct {
		place, told string
		blocks      bool
	}{
		"another version":          {`"node_modules/a":{"version":"2.0.0","resolved":"` + home + `/a/-/a-1.0.0.tgz"}`, "line 1 says a 2.0.0 and downloads another (" + home + "/a/-/a-1.0.0.tgz): npm install --package-lock-only", true},
		"another package":          {`"node_modules/safe":{"version":"1.0.0","resolved":"` + home + `/a/-/a-1.0.0.tgz"}`, "says safe 1.0.0 and downloads another", true},
		"by another scheme":        {`"node_modules/a":{"version":"2.0.0","resolved":"http` + strings.TrimPrefix(home, "https") + `:80/a/-/a-1.0.0.tgz"}`, "says a 2.0.0 and downloads another", true},
		"by a way back":            {`"node_modules/a":{"version":"2.0.0","resolved":"` + home + `/a/-/../../b/-/b-2.0.0.tgz"}`, "says a 2.0.0 and downloads another", true},
		"an alias that says so":    {`"node_modules/x":{"name":"@s/a","version":"1.0.0","resolved":"` + home + `/@s%2fa/-/a-1.0.0.tgz"}`, "", false},
		"a version that is none":   {`"node_modules/a":{"version":"v1.0.0","resolved":"` + home + `/a/-/a-1.0.0.tgz"}`, "line 1 names a without a version that can be judged (v1.0.0): npm install --package-lock-only", true},
		"no version":               {`"node_modules/a":{"dev":true}`, "names a without a version", true},
		"no version, a release":    {`"node_modules/a":{"resolved":"` + home + `/a/-/a-1.0.0.tgz"}`, "names a without a version", true},
		"an address as version":    {`"node_modules/a":{"version":"git+https://example.com/a.git","resolved":"` + home + `/a/-/a-1.0.0.tgz"}`, "names a without a version", true},
		"no version, a repository": {`"node_modules/a":{"resolved":"git+ssh://git@example.com/a.git#abc"}`, "a comes from an address (git+ssh://example.com/a.git#abc)", false},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, gaps := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{"":{},` + c.place + `}}`})
			if c.told == "" && len(gaps) > 0 {
				t.Errorf("told: %+v", gaps)
			}
			if c.told != "" {
				gap(t, gaps, c.told, c.blocks)
			}
		})
	}
	// What only npm 6 and before follow says another tarball.
	_, _, gaps := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":2,"packages":{"":{},"node_modules/a":{"version":"2.0.0"}},"dependencies":{"a":{"version":"2.0.0","resolved":"` + home + `/a/-/a-1.0.0.tgz"}}}`})
	gap(t, gaps, "says a 2.0.0 and downloads another", true)
}

// What is asked for and not in the file is installed all the same, in a version that nobody
// judged.
func TestAPackageLockThatIsOutOfStep(t *testing.T) {
	for name, c := range map[string]struct{ lock, manifest, told string }{
		"empty":                       {`{}`, `{"dependencies":{"lodash":"4.17.4"}}`, "it does not hold 1 package that is asked for, the first is lodash (of this project): npm install --package-lock-only"},
		"for development":             {`{"":{}}`, `{"devDependencies":{"lodash":"4.17.4"}}`, "the first is lodash (of this project)"},
		"called optional in the file": {`{"":{"optionalDependencies":{"lodash":"1"}}}`, `{"dependencies":{"lodash":"4.17.4"}}`, "the first is lodash (of this project)"},
		"of a package":                {`{"":{"dependencies":{"@a/b":"1"}},"node_modules/@a/b":{"version":"1.0.0","dependencies":{"gone":"1"}}}`, `{}`, "the first is gone (of @a/b)"},
		"what may be missing":         {`{"":{"dependencies":{"a":"1"}},"node_modules/a":{"version":"1.0.0","dependencies":{"both":"1"},"optionalDependencies":{"both":"1","b":"1"},"peerDependencies":{"c":"1"}}}`, `{"optionalDependencies":{"d":"1"}}`, ""},
		"a link to a project":         {`{"":{"workspaces":["w"]},"w":{"name":"w","devDependencies":{"x":"1"}},"node_modules/w":{"link":true,"resolved":"w"}}`, `{"dependencies":{"w":"*"}}`, ""},
	} {
		_, _, gaps := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":` + c.lock + `}`, "package.json": c.manifest})
		if c.told != "" {
			gap(t, gaps, c.told, true)
		} else if len(gaps) > 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// Whoever nests 1,500 packages makes the search for each as long: the check would hang.
func TestPlacesThatNobodyCanInstall(t *testing.T) {
	var lock strings.Builder
	for i := 1; i <= 1500; i++ {
		fmt.Fprintf(&lock, `,"%s":{"version":"1.0.0","dependencies":{"x":"1"}}`, strings.Repeat("node_modules/a/", i-1)+"node_modules/a")
	}
	_, found, gaps := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{"":{}` + lock.String() + `}}`})
	if gap(t, gaps, "it cannot be read: line 1: a package that lies deeper than 64 others", true); len(found) > 0 {
		t.Errorf("found %d", len(found))
	}
}

func TestCyclesOfPackagesEnd(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"package-lock.json": `{"lockfileVersion":3,"packages":{"":{"dependencies":{"a":"1"}},
		"node_modules/a":{"version":"1.0.0","dependencies":{"b":"1"}},"node_modules/b":{"version":"1.0.0","dependencies":{"a":"1","b":"1"}},
		"node_modules/loop":{"link":true,"resolved":"node_modules/loop"}}}`})
	sameLines(t, found, "package-lock.json:2 pkg:npm/a@1.0.0 direct this project>a", "package-lock.json:2 pkg:npm/b@1.0.0 this project>a>b")
}

func TestPackageLockThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"cut short":              inventorytest.PackageLock[:400],
		"cut in a string":        inventorytest.PackageLock[:35],
		"empty":                  "",
		"an array":               `["lockfileVersion"]`,
		"text behind it":         `{"lockfileVersion":3} {}`,
		"no lockfile":            `{"name":"x"}`,
		"nested too deep":        `{"packages":` + strings.Repeat(`{"a":`, 2*plain.MaxDepth) + "1" + strings.Repeat("}", 2*plain.MaxDepth) + "}",
		"a control character":    "{\"packages\":{\"node_modules/a\x01\":{}}}",
		"a NUL at the end":       "{\"lockfileVersion\":3}\x00",
		"a value that is none":   `{"lockfileVersion":3,"packages":{"a":nope}}`,
		"no comma":               `{"lockfileVersion":3 "packages":{}}`,
		"an escape that is none": `{"lockfileVersion":3,"packages":{"\x":{}}}`,
	} {
		_, found, gaps := inventoryOf(t, map[string]string{"package-lock.json": text, "package.json": `{"dependencies":{"a":"1"}}`})
		if len(found) > 0 || blocking(gaps) != 1 {
			t.Errorf("%s: found %+v, gaps %+v", name, found, gaps)
		}
	}
}

func TestPackageJSONWithoutALockfile(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		told  string
	}{
		"none":                            {map[string]string{"a/package.json": `{"dependencies":{"x":"1","y":"2"}}`}, "asks for 2 packages"},
		"one of another package manager":  {map[string]string{"a/package.json": `{"dependencies":{"x":"1"}}`, "a/yarn.lock": "x@1:\n  version \"1.0.0\"\n"}, ""},
		"one of it that cannot be read":   {map[string]string{"a/package.json": `{"dependencies":{"x":"1"}}`, "a/yarn.lock": "x"}, "a/yarn.lock: it cannot be read"},
		"one of a workspace above":        {map[string]string{"a/b/package.json": `{"dependencies":{"x":"1"}}`, "package-lock.json": `{"lockfileVersion":3,"packages":{"a/b":{},"a/b/node_modules/x":{"version":"1.0.0"}}}`}, ""},
		"one above that does not know it": {map[string]string{"a/b/package.json": `{"dependencies":{"x":"1"}}`, "package-lock.json": `{"lockfileVersion":3,"packages":{}}`}, "asks for 1 package"},
		"none of pnpm":                    {map[string]string{"a/package.json": `{"packageManager":"pnpm@9.1.0+sha512.abc","dependencies":{"x":"1"}}`}, "pnpm install --lockfile-only"},
		"none of a manager that is none":  {map[string]string{"a/package.json": `{"packageManager":"rm -rf","dependencies":{"x":"1"}}`}, "npm install --package-lock-only"},
		"one in a folder beside":          {map[string]string{"a/package.json": `{"dependencies":{"x":"1"}}`, "b/package-lock.json": `{"lockfileVersion":3,"packages":{}}`}, "asks for 1 package"},
		"none needed":                     {map[string]string{"a/package.json": `{"name":"x","scripts":{"test":"y"}}`}, ""},
		"workspaces without end":          {map[string]string{"a/package.json": `{"workspaces":["` + strings.Repeat("**/", 1000) + `"]}`}, "too many or too long"},
		"too many workspaces":             {map[string]string{"a/package.json": `{"workspaces":["a"` + strings.Repeat(`,"a"`, 1000) + `]}`}, "too many or too long"},
		"a package.json that is none":     {map[string]string{"a/package.json": `{"dependencies":`}, "cannot be read"},
	} {
		_, _, gaps := inventoryOf(t, c.files)
		if c.told == "" {
			if blocking(gaps) > 0 {
				t.Errorf("%s: %+v", name, gaps)
			}
			continue
		}
		gap(t, gaps, c.told, true)
		if n := blocking(gaps); n != 1 {
			t.Errorf("%s: %d gaps block: %+v", name, n, gaps)
		}
	}
}

func TestARangeRefusesOnlyWhatItCertainlyDoes(t *testing.T) {
	for _, c := range []struct {
		versions, version string
		refused           bool
	}{
		{"^1.2.0", "1.9.0", false}, {"^1.2.0", "1.1.9", true}, {"^1.2.0", "2.0.0", true}, {"^0.2.3", "0.3.0", true}, {"^0.2.3", "0.2.9", false}, {"^0.0.3", "0.0.4", true},
		{"~1.2.3", "1.2.9", false}, {"~1.2.3", "1.3.0", true}, {"1.2.3", "1.2.4", true}, {"=1.2.3", "1.2.3", false}, {"v1.2.3", "1.2.3", false},
		{">=1", "0.1.0", false}, {"1.x", "2.0.0", false}, {"^1.0.0 || ^2.0.0", "3.0.0", false}, {"^1.0.0", "2.0.0-rc.1", false}, {"latest", "1.0.0", false}, {"", "", false},
	} {
		if got := refuses(c.versions, c.version); got != c.refused {
			t.Errorf("%q refuses %q: %v", c.versions, c.version, got)
		}
	}
}
