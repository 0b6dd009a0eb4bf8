package inventory

import (
	"strings"
	"testing"
)

// sha256Zero is a digest as lockfiles write it.
var sha256Zero = "sha256:" + strings.Repeat("0", 64)

const poetryProject = `[project]
name = "App"
dependencies = ["Flask>=2", "old-python; python_version < '3'"]
[tool.poetry.dependencies]
python = "^3.11"
ours = {path = "../ours"}
[tool.poetry.group.dev.dependencies]
pytest = "*"
`

const poetryLock1 = `[[package]]
name = "Flask"
version = "2.0.1"
category = "main"
optional = false

[package.dependencies]
Werkzeug = ">=2"
colorama = {version = "*", markers = "sys_platform == 'win32'"}
multi = [{version = "1", optional = true}, {version = "2", markers = "x"}]

[[package]]
name = "werkzeug"
version = "2.0.2"
category = "main"

[package.source]
type = "legacy"
url = "https://u:s3cret@pypi.acme.example/simple"
reference = "acme"

[[package]]
name = "pytest"
version = "7.0.0"
category = "dev"

[package.dependencies]
werkzeug = "*"

[[package]]
name = "ours"
version = "0.1.0"
category = "main"

[package.source]
type = "directory"
url = "../ours"

[metadata]
lock-version = "1.1"
content-hash = "x"

[metadata.files]
flask = []
Flask = [{file = "Flask-2.0.1.whl", hash = "SHA"}]
`

const poetryLock2 = `[[package]]
name = "flask"
version = "2.0.1"
groups = ["main", "dev"]
markers = "python_version > '3'"
files = [
    {file = "a.whl", hash = "SHA"},
    {file = "a.tar.gz", hash = "SHA"},
]

[package.dependencies]
pytest = {version = "*", optional = true}

[[package]]
name = "pytest"
version = "7.0.0"
groups = ["dev"]
files = []

[[package]]
name = "pytest"
version = "8.0.0"
groups = ["dev"]
files = []

[[package]]
name = "ours"
version = "0.1.0"
groups = ["main"]
[package.source]
type = "git"
url = "https://git.acme.example/ours.git"
reference = "main"
resolved_reference = "0123456789012345678901234567890123456789"

[metadata]
lock-version = "2.1"
`

func TestPoetryLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{"a/poetry.lock": strings.ReplaceAll(poetryLock1, "SHA", sha256Zero), "a/pyproject.toml": poetryProject})
	sameLines(t, found,
		"a/poetry.lock:1 pkg:pypi/flask@2.0.1 direct app>flask",
		"a/poetry.lock:12 pkg:pypi/werkzeug@2.0.2 app>flask>werkzeug",
		"a/poetry.lock:22 pkg:pypi/pytest@7.0.0 direct dev app>pytest",
	)
	toldBeside(t, found,
		"flask needs [werkzeug@2.0.2] hashes 1 from ",
		"werkzeug needs [] hashes 0 from https://pypi.acme.example/simple",
		"pytest needs [werkzeug@2.0.2] hashes 0 from ",
	)
	gap(t, gaps, "ours is a folder or file of this tree", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
	_, found, gaps = inventoryOf(t, map[string]string{"poetry.lock": strings.ReplaceAll(poetryLock2, "SHA", sha256Zero), "pyproject.toml": poetryProject})
	sameLines(t, found,
		"poetry.lock:1 pkg:pypi/flask@2.0.1 direct app>flask",
		"poetry.lock:14 pkg:pypi/pytest@7.0.0 direct dev app>pytest",
		"poetry.lock:20 pkg:pypi/pytest@8.0.0 direct dev app>pytest",
		"poetry.lock:26 pkg:pypi/ours@0.1.0 direct app>ours",
	)
	gap(t, gaps, "ours comes from an address (https://git.acme.example/ours.git#0123456789012345678901234567890123456789): it is judged by the version 0.1.0", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const uvLockText = `version = 1
revision = 3
requires-python = ">=3.12"

[manifest]
members = ["App", "lib"]

[[package]]
name = "app"
version = "0.1.0"
source = { virtual = "." }
dependencies = [
    { name = "flask" },
    { name = "lib" },
    { name = "two", version = "1.0", marker = "python_full_version < '3.13'" },
    { name = "outside" },
]

[package.optional-dependencies]
more = [{ name = "extra" }]

[package.dev-dependencies]
dev = [{ name = "pytest" }]

[package.metadata]
requires-dist = [{ name = "flask" }]

[[package]]
name = "lib"
source = { editable = "packages/lib" }
dependencies = [{ name = "two", version = "2.0", source = { registry = "https://pypi.org/simple" } }]

[[package]]
name = "flask"
version = "2.0.1"
source = { registry = "https://pypi.org/simple" }
sdist = { url = "https://files.pythonhosted.org/flask.tar.gz", hash = "SHA", size = 1 }
wheels = [
    { url = "https://files.pythonhosted.org/flask.whl", hash = "SHA", size = 1 },
]

[[package]]
name = "two"
version = "1.0"
source = { registry = "https://u:s3cret@pypi.acme.example/simple" }

[[package]]
name = "two"
version = "2.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "extra"
version = "1.0"
source = { git = "https://git.acme.example/extra?rev=main#0123456789012345678901234567890123456789" }

[[package]]
name = "pytest"
version = "7.0.0"
source = { registry = "https://pypi.org/simple" }

[[package]]
name = "outside"
version = "1.0"
source = { directory = "../outside" }
`

func TestUVLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"uv.lock": strings.ReplaceAll(uvLockText, "SHA", sha256Zero), "pyproject.toml": "[project]\ndependencies = [\"flask\"]\n", "packages/lib/pyproject.toml": "[project]\ndependencies = [\"two\"]\n",
	})
	sameLines(t, found,
		"uv.lock:33 pkg:pypi/flask@2.0.1 direct app>flask",
		"uv.lock:42 pkg:pypi/two@1.0 direct app>two",
		"uv.lock:47 pkg:pypi/two@2.0 direct lib>two",
		"uv.lock:52 pkg:pypi/extra@1.0 direct app>extra",
		"uv.lock:57 pkg:pypi/pytest@7.0.0 direct dev app>pytest",
	)
	toldBeside(t, found,
		"flask needs [] hashes 2 from ",
		"two needs [] hashes 0 from https://pypi.acme.example/simple",
		"two needs [] hashes 0 from ",
		"extra needs [] hashes 0 from https://git.acme.example/extra#0123456789012345678901234567890123456789",
		"pytest needs [] hashes 0 from ",
	)
	gap(t, gaps, "outside is a folder or file of this tree", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

// A script, or a workspace whose top is no package, asks in the manifest of the lockfile.
func TestUVLockOfAScript(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"tool.py.lock": "version = 1\n[manifest]\nrequirements = [{ name = \"a\" }]\n[manifest.dependency-groups]\ndev = [{ name = \"b\" }]\n" +
		"[[package]]\nname = \"a\"\nversion = \"1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n[[package]]\nname = \"b\"\nversion = \"1.0\"\nsource = { registry = \"https://pypi.org/simple\" }\n"})
	sameLines(t, found, "tool.py.lock:6 pkg:pypi/a@1.0 direct this project>a", "tool.py.lock:10 pkg:pypi/b@1.0 direct dev this project>b")
}

const pdmLockText = `[metadata]
groups = ["default", "dev"]
lock_version = "4.5.0"

[[package]]
name = "Flask"
version = "2.0.1"
groups = ["default"]
dependencies = ["Werkzeug>=2", "importlib-metadata; python_version < '3.8'"]
files = [{file = "flask.whl", hash = "SHA"}]

[[package]]
name = "flask"
version = "2.0.1"
extras = ["async"]
dependencies = ["asgiref", "flask==2.0.1"]
files = [{file = "flask.whl", hash = "SHA"}]

[[package]]
name = "asgiref"
version = "3.0"

[[package]]
name = "werkzeug"
version = "2.0.2"
git = "https://git.acme.example/werkzeug.git"
revision = "0123456789012345678901234567890123456789"

[[package]]
name = "pytest"
version = "7.0.0"
groups = ["dev"]

[[package]]
name = "ours"
version = "0.1.0"
path = "./ours"
editable = true
`

func TestPDMLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"pdm.lock": strings.ReplaceAll(pdmLockText, "SHA", sha256Zero), "pyproject.toml": "[project]\nname = \"app\"\ndependencies = [\"flask[async]\", \"app[more]\"]\n[dependency-groups]\ndev = [\"pytest\", {include-group = \"docs\"}]\ndocs = [\"not-locked\"]\n",
	})
	sameLines(t, found,
		"pdm.lock:5 pkg:pypi/flask@2.0.1 direct app>flask",
		"pdm.lock:12 pkg:pypi/flask@2.0.1 direct app>flask",
		"pdm.lock:19 pkg:pypi/asgiref@3.0 app>flask>asgiref",
		"pdm.lock:23 pkg:pypi/werkzeug@2.0.2 app>flask>werkzeug",
		"pdm.lock:29 pkg:pypi/pytest@7.0.0 direct dev app>pytest",
	)
	toldBeside(t, found[:2], "flask needs [werkzeug@2.0.2] hashes 1 from ", "flask needs [asgiref@3.0] hashes 1 from ")
	gap(t, gaps, "werkzeug comes from an address", false)
	gap(t, gaps, "ours is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const pipfileLockText = `{
    "_meta": {"hash": {"sha256": "x"}, "pipfile-spec": 6, "sources": [
        {"name": "pypi", "url": "https://pypi.org/simple", "verify_ssl": true},
        {"name": "acme", "url": "https://u:s3cret@pypi.acme.example/simple"}
    ]},
    "default": {
        "Flask": {"hashes": ["SHA", "SHA"], "index": "pypi", "version": "==2.0.1"},
        "werkzeug": {"index": "acme", "version": "===2.0.2"},
        "ours": {"editable": true, "path": "."},
        "git": {"git": "https://git.acme.example/git.git", "ref": "0123456789012345678901234567890123456789"},
        "wheel": {"path": "./wheel-1.0.whl", "version": "==1.0"}
    },
    "develop": {
        "pytest": {"version": "==7.0.0"}
    },
    "docs": {
        "sphinx": {"version": "==5.0"}
    }
}
`

func TestPipfileLock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"Pipfile.lock": strings.ReplaceAll(pipfileLockText, "SHA", sha256Zero),
		"Pipfile":      "[packages]\nflask = \"*\"\n[dev-packages]\npytest = \"*\"\n[docs]\nsphinx = \"*\"\n[requires]\npython_version = \"3.11\"\n",
	})
	sameLines(t, found,
		"Pipfile.lock:7 pkg:pypi/flask@2.0.1 direct this project>flask",
		"Pipfile.lock:8 pkg:pypi/werkzeug@2.0.2",
		"Pipfile.lock:11 pkg:pypi/wheel@1.0",
		"Pipfile.lock:14 pkg:pypi/pytest@7.0.0 direct dev this project>pytest",
		"Pipfile.lock:17 pkg:pypi/sphinx@5.0 direct this project>sphinx",
	)
	toldBeside(t, found,
		"flask needs untold hashes 2 from ",
		"werkzeug needs untold hashes 0 from https://pypi.acme.example/simple",
		"wheel needs untold hashes 0 from ",
		"pytest needs untold hashes 0 from ",
		"sphinx needs untold hashes 0 from ",
	)
	gap(t, gaps, "git comes from an address (https://git.acme.example/git.git#0123456789012345678901234567890123456789), not from a registry", false)
	gap(t, gaps, "ours is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

const pylockText = `lock-version = "1.0"
created-by = "a tool"

[[packages]]
name = "flask"
version = "2.0.1"
index = "https://pypi.acme.example/simple"
dependencies = [{name = "werkzeug", version = "2.0.2"}]
wheels = [{name = "a.whl", url = "https://x.example/a.whl", hashes = {sha256 = "ZERO", md5 = "00"}}]
[packages.sdist]
name = "a.tar.gz"
hashes = {sha256 = "ZERO"}

[[packages]]
name = "werkzeug"
version = "2.0.2"

[[packages]]
name = "werkzeug"
version = "2.0.3"

[[packages]]
name = "from-git"
vcs = {type = "git", url = "https://git.acme.example/a.git", commit-id = "0123456789012345678901234567890123456789"}

[[packages]]
name = "packed"
version = "1.0"
archive = {path = "packed.whl", hashes = {sha256 = "ZERO"}}

[[packages]]
name = "ours"
directory = {path = "."}
`

func TestPylock(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"pylock.toml": strings.ReplaceAll(pylockText, "ZERO", strings.Repeat("0", 64)), "pyproject.toml": "[project]\nname = \"app\"\ndependencies = [\"flask\", \"left-out\"]\n",
	})
	sameLines(t, found,
		"pylock.toml:4 pkg:pypi/flask@2.0.1 direct app>flask",
		"pylock.toml:14 pkg:pypi/werkzeug@2.0.2 app>flask>werkzeug",
		"pylock.toml:18 pkg:pypi/werkzeug@2.0.3",
		"pylock.toml:26 pkg:pypi/packed@1.0",
	)
	toldBeside(t, found,
		"flask needs [werkzeug@2.0.2] hashes 2 from https://pypi.acme.example/simple",
		"werkzeug needs untold hashes 0 from ",
		"werkzeug needs untold hashes 0 from ",
		"packed needs untold hashes 1 from ",
	)
	gap(t, gaps, "from-git comes from an address (https://git.acme.example/a.git#0123456789012345678901234567890123456789), not from a registry", false)
	gap(t, gaps, "packed comes from an address (packed.whl): it is judged", false)
	gap(t, gaps, "ours is a folder", false)
	if n := blocking(gaps); n != 0 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
}

func TestPythonLocksThatCannotBeRead(t *testing.T) {
	pack := "\n[[package]]\nname = \"a\"\nversion = \"1.0\"\n"
	for name, c := range map[string]struct{ file, text, told string }{
		"poetry cut short":                 {"poetry.lock", poetryLock1[:300], "cannot be read"},
		"poetry cut between packages":      {"poetry.lock", poetryLock1[:strings.Index(poetryLock1, "[[package]]\nname = \"werkzeug\"")], "ends early"},
		"poetry of another version":        {"poetry.lock", "[metadata]\nlock-version = \"3.0\"\n", "lock-version 3.0 is not read"},
		"poetry with a key twice":          {"poetry.lock", "[metadata]\n[[package]]\nname = \"a\"\nname = \"b\"\nversion = \"1\"\n", "cannot be read"},
		"poetry without a name":            {"poetry.lock", "[metadata]\n[[package]]\nversion = \"1\"\n", "a package without a name"},
		"poetry without a version":         {"poetry.lock", "[metadata]\n[[package]]\nname = \"a\"\n", "without a version that can be judged"},
		"poetry with a name of a command":  {"poetry.lock", "[metadata]\n[[package]]\nname = \"a;rm -rf /\"\nversion = \"1\"\n", "names a component that cannot be"},
		"poetry that names in capitals":    {"poetry.lock", "[metadata]\n[[package]]\nName = \"a\"\nversion = \"1\"\n", "a package without a name"},
		"poetry of numbers":                {"poetry.lock", "package = [1]\n[metadata]\n", "no list of tables"},
		"poetry of one table":              {"poetry.lock", "[metadata]\n[package]\nname = \"a\"\n", "no list of tables"},
		"poetry empty":                     {"poetry.lock", "", "no lockfile of poetry"},
		"poetry that lacks a package":      {"poetry.lock", "[metadata]" + pack + "[package.dependencies]\nb = \"*\"\n", "the first is b: poetry lock"},
		"uv cut short":                     {"uv.lock", uvLockText[:400], "cannot be read"},
		"uv cut between packages":          {"uv.lock", uvLockText[:strings.Index(uvLockText, "[[package]]\nname = \"pytest\"")], "that are asked for, the first is outside: uv lock"},
		"uv of another version":            {"uv.lock", "version = 2\n", "version 2 is not read"},
		"uv before 0.3":                    {"uv.lock", "version = 1\n[[distribution]]\nname = \"a\"\nversion = \"1.0\"\n", "of a uv before 0.3"},
		"uv empty":                         {"uv.lock", "", "is not read"},
		"uv that asks for another version": {"uv.lock", "version = 1" + pack + "dependencies = [{name = \"a\", version = \"2.0\"}]\n", "the first is a 2.0: uv lock"},
		"pdm empty":                        {"pdm.lock", "", "no lockfile of pdm"},
		"pdm of another version":           {"pdm.lock", "[metadata]\nlock_version = \"5.0\"\n", "lock_version 5.0 is not read"},
		"pdm that lacks a package":         {"pdm.lock", "[metadata]" + pack + "dependencies = [\"b>1\"]\n", "the first is b: pdm lock"},
		"pylock of another version":        {"pylock.toml", "lock-version = \"2.0\"\n", "is not read"},
		"pylock with a name":               {"pylock.spam.toml", "lock-version = \"1.0\"\npackages = 1\n", "no list of tables"},
		"pipenv cut short":                 {"Pipfile.lock", pipfileLockText[:400], "cannot be read"},
		"pipenv without its head":          {"Pipfile.lock", `{"default": {}}`, "no lockfile of pipenv"},
		"pipenv with a name twice":         {"Pipfile.lock", `{"_meta":{},"default":{"a":{"version":"==1"},"a":{"version":"==2"}}}`, "a stands twice"},
		"pipenv without a pin":             {"Pipfile.lock", `{"_meta":{},"default":{"a":{"version":"*"}}}`, "without a version that can be judged (*): pipenv lock"},
		"marks of a merge":                 {"uv.lock", "version = 1\n<<<<<<< HEAD\n=======\n>>>>>>> side\n", "merge conflict"},
		"a manifest cut short":             {"Pipfile", "[packages\n", "cannot be read"},
		"a manifest without a lockfile":    {"Pipfile", "[packages]\na = \"*\"\n", "pipenv lock"},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, gaps := inventoryOf(t, map[string]string{c.file: c.text})
			gap(t, gaps, c.told, true)
			if n := blocking(gaps); n != 1 {
				t.Errorf("%d gaps block: %+v", n, gaps)
			}
		})
	}
}
