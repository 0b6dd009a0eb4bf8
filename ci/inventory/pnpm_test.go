package inventory

import (
	"strings"
	"testing"
)

// sri is an integrity as lockfiles write it.
var sri = "sha512-" + strings.Repeat("A", 86) + "=="

const pnpmLock5 = `lockfileVersion: 5.4
specifiers: {left: ^1.0.0, alias: npm:real@2, tester: '2'}
dependencies:
  alias: /real/2.0.0
  left: 1.2.0_react@18.0.0
  from-git: github.com/acme/from-git/0123456789012345678901234567890123456789
  shared: link:packages/shared
devDependencies:
  tester: 2.0.0
packages:
  /@scope/x/3.0.0_left@1.2.0:
    resolution: {integrity: sha512-x}
    dev: false
  /left/1.2.0_react@18.0.0:
    resolution: {integrity: SRI}
    dependencies:
      '@scope/x': 3.0.0_left@1.2.0
      react: 18.0.0
  /left/1.2.0_react@17.0.0:
    resolution: {integrity: SRI}
    dependencies: {react: 17.0.0}
  /react/17.0.0: {resolution: {integrity: SRI}}
  /react/18.0.0: {resolution: {integrity: SRI}}
  /real/2.0.0:
    resolution: {integrity: SRI}
  /tester/2.0.0:
    resolution: {integrity: SRI}
    dependencies: {react: 18.0.0, deep: npm.acme.example/deep/1.0.0}
  npm.acme.example/deep/1.0.0:
    resolution: {integrity: SRI, registry: https://npm.acme.example/, tarball: 'https://u:s3cret@npm.acme.example/deep.tgz?k=s3cret'}
    name: deep
    version: 1.0.0
  github.com/acme/from-git/0123456789012345678901234567890123456789:
    resolution: {tarball: https://codeload.example/acme/from-git/tar.gz/0123}
    name: from-git
    version: 4.0.0
`

const pnpmLock6 = `lockfileVersion: '6.0'
importers:
  .:
    dependencies:
      left:
        specifier: ^1.0.0
        version: 1.2.0(react@18.0.0)
      alias: {specifier: npm:real@2, version: /real@2.0.0}
    devDependencies:
      tester: {specifier: '2', version: 2.0.0}
  packages/shared:
    optionalDependencies:
      gone: {specifier: '1', version: 1.0.0}
    dependencies:
      local: {specifier: 'file:../local', version: 'file:packages/local'}
packages:
  /left@1.2.0(react@18.0.0):
    resolution: {integrity: SRI}
    dependencies: {react: 18.0.0, '@scope/x': 3.0.0(react@18.0.0)}
  /react@18.0.0: {resolution: {integrity: SRI}}
  /@scope/x@3.0.0(react@18.0.0): {resolution: {integrity: SRI}}
  /real@2.0.0: {resolution: {integrity: SRI}}
  /tester@2.0.0: {resolution: {integrity: SRI}, dependencies: {react: 18.0.0}}
  file:packages/local:
    resolution: {directory: packages/local, type: directory}
    name: local
    dependencies: {react: 18.0.0}
`

const pnpmLock9 = `lockfileVersion: '9.0'
settings: {autoInstallPeers: true}
importers:
  .:
    dependencies:
      left: {specifier: ^1.0.0, version: 1.2.0(react@18.0.0)}
      alias: {specifier: npm:real@2, version: real@2.0.0(react@18.0.0)}
      git: {specifier: github:acme/git, version: https://codeload.example/acme/git/tar.gz/0123}
      ssh: {specifier: git+ssh, version: git+ssh://git@git.acme.example/ssh.git#0123456789012345678901234567890123456789}
    devDependencies:
      tester: {specifier: '2', version: 2.0.0}
  apps/web:
    dependencies:
      root: {specifier: workspace:*, version: link:../..}
      away: {specifier: link:../../../away, version: link:../../../away}
packages:
  left@1.2.0:
    resolution: {integrity: SRI}
    peerDependencies: {react: '*'}
  react@17.0.0: {resolution: {integrity: SRI}}
  react@18.0.0: {resolution: {integrity: SRI}}
  real@2.0.0: {resolution: {integrity: SRI}}
  git@https://codeload.example/acme/git/tar.gz/0123:
    resolution: {tarball: https://codeload.example/acme/git/tar.gz/0123}
    version: 5.0.0
  ssh@git+ssh://git@git.acme.example/ssh.git#0123456789012345678901234567890123456789:
    resolution: {commit: '0123456789012345678901234567890123456789', repo: 'git+ssh://git@git.acme.example/ssh.git', type: git}
  tester@2.0.0: {resolution: {integrity: SRI}}
snapshots:
  left@1.2.0(react@18.0.0):
    dependencies: {react: 18.0.0}
  left@1.2.0(react@17.0.0):
    dependencies: {react: 17.0.0}
  react@17.0.0: {}
  react@18.0.0: {}
  real@2.0.0(react@18.0.0): {optionalDependencies: {react: 18.0.0, fsevents: 2.0.0}}
  git@https://codeload.example/acme/git/tar.gz/0123: {}
  ssh@git+ssh://git@git.acme.example/ssh.git#0123456789012345678901234567890123456789: {}
  tester@2.0.0:
    dependencies: {react: 18.0.0, extra: 1.0.0}
  extra@1.0.0: {}
`

func TestPnpmLock5(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"web/pnpm-lock.yaml": strings.ReplaceAll(pnpmLock5, "SRI", sri)})
	sameLines(t, found,
		"web/pnpm-lock.yaml:11 pkg:npm/%40scope/x@3.0.0 this project>left>@scope/x",
		"web/pnpm-lock.yaml:14 pkg:npm/left@1.2.0 direct this project>left",
		"web/pnpm-lock.yaml:22 pkg:npm/react@17.0.0 this project>left>react",
		"web/pnpm-lock.yaml:23 pkg:npm/react@18.0.0 this project>left>react",
		"web/pnpm-lock.yaml:24 pkg:npm/real@2.0.0 direct this project>real",
		"web/pnpm-lock.yaml:26 pkg:npm/tester@2.0.0 direct dev this project>tester",
		"web/pnpm-lock.yaml:29 pkg:npm/deep@1.0.0 dev this project>tester>deep",
		"web/pnpm-lock.yaml:33 pkg:npm/from-git@4.0.0 direct this project>from-git",
	)
	toldBeside(t, found,
		"@scope/x needs [] hashes 0 from ",
		"left needs [@scope/x@3.0.0 react@17.0.0 react@18.0.0] hashes 1 from ",
		"react needs [] hashes 1 from ",
		"react needs [] hashes 1 from ",
		"real needs [] hashes 1 from ",
		"tester needs [deep@1.0.0 react@18.0.0] hashes 1 from ",
		"deep needs [] hashes 1 from https://npm.acme.example/deep.tgz",
		"from-git needs [] hashes 0 from https://codeload.example/acme/from-git/tar.gz/0123",
	)
	gap(t, gaps, "from-git comes from an address (https://codeload.example/acme/from-git/tar.gz/0123): it is judged by the version 4.0.0", false)
	gap(t, gaps, "shared is linked to a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestPnpmLock6(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"pnpm-lock.yaml": strings.ReplaceAll(pnpmLock6, "SRI", sri), "package.json": `{"dependencies":{"left":"^1"}}`, "packages/shared/package.json": `{"dependencies":{"local":"1"}}`,
	})
	sameLines(t, found,
		"pnpm-lock.yaml:17 pkg:npm/left@1.2.0 direct this project>left",
		"pnpm-lock.yaml:20 pkg:npm/react@18.0.0 this project>left>react",
		"pnpm-lock.yaml:21 pkg:npm/%40scope/x@3.0.0 this project>left>@scope/x",
		"pnpm-lock.yaml:22 pkg:npm/real@2.0.0 direct this project>real",
		"pnpm-lock.yaml:23 pkg:npm/tester@2.0.0 direct dev this project>tester",
	)
	gap(t, gaps, "local is a folder or file of this tree", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestPnpmLock9(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"pnpm-lock.yaml": strings.ReplaceAll(pnpmLock9, "SRI", sri)})
	sameLines(t, found,
		"pnpm-lock.yaml:17 pkg:npm/left@1.2.0 direct this project>left",
		"pnpm-lock.yaml:20 pkg:npm/react@17.0.0 this project>left>react",
		"pnpm-lock.yaml:21 pkg:npm/react@18.0.0 this project>left>react",
		"pnpm-lock.yaml:22 pkg:npm/real@2.0.0 direct this project>real",
		"pnpm-lock.yaml:23 pkg:npm/git@5.0.0 direct this project>git",
		"pnpm-lock.yaml:28 pkg:npm/tester@2.0.0 direct dev this project>tester",
		"pnpm-lock.yaml:41 pkg:npm/extra@1.0.0 dev this project>tester>extra", // in snapshots alone
	)
	gap(t, gaps, "ssh comes from an address (git+ssh://git.acme.example/ssh.git#0123456789012345678901234567890123456789), not from a registry", false)
	gap(t, gaps, "away is linked to a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

// The second document is what pnpm itself needs to run.
func TestPnpmLockOfTwoDocuments(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"pnpm-lock.yaml": "lockfileVersion: '9.0'\nimporters:\n  .:\n    packageManagerDependencies: {pnpm: {specifier: 11.0.0, version: 11.0.0}}\n" +
		"packages:\n  pnpm@11.0.0: {}\nsnapshots:\n  pnpm@11.0.0: {}\n---\nlockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies: {a: {specifier: ^1, version: 1.0.0}}\npackages:\n  a@1.0.0: {}\nsnapshots:\n  a@1.0.0: {}\n"})
	sameLines(t, found, "pnpm-lock.yaml:6 pkg:npm/pnpm@11.0.0 direct dev this project>pnpm", "pnpm-lock.yaml:15 pkg:npm/a@1.0.0 direct this project>a")
	if len(gaps) > 0 {
		t.Errorf("gaps: %+v", gaps)
	}
}

func TestPnpmLockThatCannotBeRead(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'z'; c++ {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 8) + "]\n"
	}
	for name, c := range map[string]struct{ text, told string }{
		"empty":                   {"", "it is empty"},
		"a list":                  {"- lockfileVersion: 5.4\n", "no mapping"},
		"of another version":      {"lockfileVersion: '10.0'\n", "lockfileVersion 10.0 is not read"},
		"no lockfile":             {"packages: {}\n", "no lockfile of pnpm"},
		"cut in a value":          {pnpmLock9[:strings.Index(pnpmLock9, "packages:")-30], "cannot be read"},
		"cut between two entries": {pnpmLock9[:strings.Index(pnpmLock9, "  tester@2.0.0:")], "it does not hold"},
		"an anchor":               {"lockfileVersion: '9.0'\npackages: &x {}\n", "line 2: anchors"},
		"an alias bomb":           {"lockfileVersion: '9.0'\n" + bomb, "anchors"},
		"a merge key":             {"lockfileVersion: '9.0'\npackages:\n  <<: {a@1.0.0: {}}\n", "a key that is no word"},
		"a tag":                   {"lockfileVersion: !!str '9.0'\n", "tags"},
		"a key that stands twice": {"lockfileVersion: '9.0'\npackages:\n  a@1.0.0: {}\n  a@1.0.0: {}\n", "line 4: a@1.0.0 stands twice, first on line 3"},
		"nested too deep":         {"lockfileVersion: '9.0'\nx: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", "nested deeper"},
		"too many documents":      {strings.Repeat("---\nlockfileVersion: '9.0'\n", 20), "documents"},
		"two versions":            {"lockfileVersion: '9.0'\n---\nlockfileVersion: '6.0'\n", "several lockfileVersions"},
		"a package without name":  {"lockfileVersion: '9.0'\npackages:\n  '@1.0.0': {}\n", "names a component that cannot be"},
		"a version that is none":  {"lockfileVersion: '6.0'\npackages:\n  /a@1.0.0;rm: {}\n", "without a version that can be judged"},
		"a name that is a command": {"lockfileVersion: '9.0'\npackages:\n  'a;rm -rf x@1.0.0': {}\n",
			"names a component that cannot be: a;rm -rf x"},
		"an entry that says another version": {"lockfileVersion: '9.0'\npackages:\n  a@1.0.1: {version: 1.0.0}\n", "line 3: a@1.0.1 says that it is a 1.0.0"},
		"an entry that says another name":    {"lockfileVersion: 5.4\npackages:\n  /a/1.0.1: {name: b, version: 1.0.1}\n", "says that it is b 1.0.1"},
		"a download of another":              {"lockfileVersion: '9.0'\npackages:\n  a@1.0.1: {resolution: {tarball: 'https://registry." + "npmjs.org/a/-/a-1.0.0.tgz'}}\n", "says a 1.0.1 and downloads another"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, gaps := inventoryOf(t, map[string]string{"pnpm-lock.yaml": c.text, "package.json": `{"dependencies":{"a":"1"}}`})
			gap(t, gaps, c.told, true)
			if n := blocking(gaps); n != 1 {
				t.Errorf("%d gaps block: %+v", n, gaps)
			}
		})
	}
}
