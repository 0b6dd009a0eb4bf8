package inventory

import (
	"strings"
	"testing"
)

const bunLockText = `{
  "lockfileVersion": 1, // a comment
  "workspaces": {
    "": {
      "name": "web",
      "dependencies": { "left": "^1.0.0", "alias": "npm:real@2", "shared": "workspace:*", "from-git": "github:acme/from-git", },
      "devDependencies": { "tester": "2" },
      "optionalDependencies": { "gone": "1" },
    },
    "packages/shared": { "name": "shared", "version": "1.0.0", "dependencies": { "deep": "1", "linked": "link:linked" } },
  },
  /* what was
     taken */
  "packages": {
    "@scope/x": ["@scope/x@3.0.0", "https://u:s3cret@npm.acme.example/x.tgz", {}, "SRI"],
    "alias": ["real@2.0.0", "", {}, "SRI"],
    "deep": ["deep@2.0.0", "", { "dependencies": { "@scope/x": "3" } }, "SRI"],
    "from-git": ["from-git@github:acme/from-git#0123456", { "dependencies": { "deep": "2" } }, "acme-from-git-0123456"],
    "left": ["left@1.2.0", "", { "dependencies": { "deep": "2", "left": "1" }, "peerDependencies": { "real": "*" }, "bin": "x" }, "SRI"],
    "linked": ["linked@link:linked", {}],
    "shared": ["shared@workspace:packages/shared"],
    "tester": ["tester@2.0.0", "", { "dependencies": { "deep": "1", "@scope/x": "3" } }, "SRI"],
    "shared/deep": ["deep@1.0.0", "", {}, "SRI"],
    "tester/@scope/x": ["@scope/x@3.5.0", "", { "dependencies": { "deep": "0" } }, "SRI"],
    "tester/@scope/x/deep": ["deep@0.5.0", "", {}, "SRI"],
  },
}
`

func TestBunLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"bun.lock": home(bunLockText), "package.json": `{"dependencies":{"left":"^1.0.0"}}`, "packages/shared/package.json": `{"dependencies":{"deep":"1"}}`,
	})
	sameLines(t, found,
		"bun.lock:15 pkg:npm/%40scope/x@3.0.0 web>left>deep>@scope/x",
		"bun.lock:16 pkg:npm/real@2.0.0 direct web>real",
		"bun.lock:17 pkg:npm/deep@2.0.0 web>left>deep",
		"bun.lock:19 pkg:npm/left@1.2.0 direct web>left",
		"bun.lock:22 pkg:npm/tester@2.0.0 direct dev web>tester",
		"bun.lock:23 pkg:npm/deep@1.0.0 direct shared>deep",
		"bun.lock:24 pkg:npm/%40scope/x@3.5.0 dev web>tester>@scope/x",
		"bun.lock:25 pkg:npm/deep@0.5.0 dev web>tester>@scope/x>deep",
	)
	toldBeside(t, found[:4],
		"@scope/x needs [] hashes 1 from https://npm.acme.example/x.tgz",
		"real needs [] hashes 1 from ",
		"deep needs [@scope/x@3.0.0] hashes 1 from ",
		"left needs [deep@2.0.0] hashes 1 from ",
	)
	gap(t, gaps, "from-git comes from an address (github:acme/from-git#0123456), not from a registry", false)
	gap(t, gaps, "linked is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

// Version 0 lists what workspaces ask for beside them too.
func TestBunLockOfTheFirstVersion(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"bun.lock": `{"lockfileVersion":0,"workspaces":{"":{"dependencies":{"a":"1"}}},"packages":{"b":["b@workspace:b",{"dependencies":{"a":"1"}}],"a":["a@1.0.0","",{},"` + sri + `"]}}`})
	sameLines(t, found, "bun.lock:1 pkg:npm/a@1.0.0 direct this project>a")
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestBunLockThatCannotBeRead(t *testing.T) {
	for name, c := range map[string]struct{ file, text, told string }{
		"the binary form":               {"bun.lockb", "#!/usr/bin/env bun\n\x00", "bun install --save-text-lockfile"},
		"cut short":                     {"bun.lock", bunLockText[:700], "cannot be read"},
		"cut in a comment":              {"bun.lock", "{ /* x", "line 1"},
		"empty":                         {"bun.lock", "", "no object"},
		"of another version":            {"bun.lock", `{"lockfileVersion":2}`, "lockfileVersion 2 is not read"},
		"a version that is no number":   {"bun.lock", `{"lockfileVersion":"1"}`, "is not read"},
		"no lockfile":                   {"bun.lock", `{"packages":{}}`, "no lockfile of bun"},
		"a key that stands twice":       {"bun.lock", `{"lockfileVersion":1,"packages":{"a":["a@1.0.0"],"a":["a@2.0.0"]}}`, "a stands twice"},
		"packages that stand twice":     {"bun.lock", `{"lockfileVersion":1,"packages":{},"packages":{}}`, "packages stands twice"},
		"a workspace that stands twice": {"bun.lock", `{"lockfileVersion":1,"workspaces":{"":{},".":{}}}`, "stands twice"},
		"a package that is no list":     {"bun.lock", `{"lockfileVersion":1,"packages":{"a":"a@1.0.0"}}`, "no list"},
		"a package without a name":      {"bun.lock", `{"lockfileVersion":1,"packages":{"a":[{}]}}`, "without name and version"},
		"a place without an end":        {"bun.lock", `{"lockfileVersion":1,"packages":{"` + strings.Repeat("a/", 2000) + `a":["a@1.0.0"]}}`, "a place that is too long"},
		"two commas":                    {"bun.lock", `{"lockfileVersion":1,,}`, "line 1"},
		"a wish without an answer":      {"bun.lock", `{"lockfileVersion":1,"workspaces":{"":{"dependencies":{"a":"1"}}}}`, "the first is a 1: bun install --lockfile-only"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, gaps := inventoryOf(t, map[string]string{c.file: c.text, "package.json": `{"dependencies":{"a":"1"}}`})
			gap(t, gaps, c.told, true)
			if n := blocking(gaps); n != 1 {
				t.Errorf("%d gaps block: %+v", n, gaps)
			}
		})
	}
}
