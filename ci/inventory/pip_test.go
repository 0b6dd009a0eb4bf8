package inventory

import (
	"strings"
	"testing"
)

const requirementsText = `# made by hand
-r base.txt
-c constraints.txt
--index-url https://pypi.example/simple
Django==4.2.1  # the web
requests[socks]==2.31.0 ; python_version >= "3.8"
zope.interface===5.4.0 --hash=sha256:abc
flask == 2.0.1, >=2
urllib3
typing_extensions (==4.0.0)
hashed==1.0 \
    --hash=sha256:aaa \
    --hash=sha256:bbb
loose>=1.0,<2
wild==1.*
-e .
git+https://user:secret@example.com/a.git#egg=a
thing @ https://example.com/thing.whl
./local/dir
!!what is this
`

func TestRequirements(t *testing.T) {
	_, found, gaps := inventoryOf(t, map[string]string{
		"requirements.txt": requirementsText, "constraints.txt": "urllib3==1.26.5\nunused==1\n", "requirements/base.txt": "six==1.16.0\n",
	})
	sameLines(t, found,
		"requirements.txt:5 pkg:pypi/django@4.2.1 direct",
		"requirements.txt:6 pkg:pypi/requests@2.31.0 direct",
		"requirements.txt:7 pkg:pypi/zope-interface@5.4.0 direct",
		"requirements.txt:8 pkg:pypi/flask@2.0.1 direct",
		"requirements.txt:9 pkg:pypi/urllib3@1.26.5 direct",
		"requirements.txt:10 pkg:pypi/typing-extensions@4.0.0 direct",
		"requirements.txt:11 pkg:pypi/hashed@1.0 direct",
		"requirements/base.txt:1 pkg:pypi/six@1.16.0 direct",
	)
	gap(t, gaps, "line 14 asks for loose>=1.0,<2", true)
	gap(t, gaps, "line 15 asks for wild==1.*", true)
	gap(t, gaps, "it includes base.txt", true)
	gap(t, gaps, "a line cannot be read: !!what", true)
	gap(t, gaps, "git+https://example.com/a.git", false)
	gap(t, gaps, "thing @ https", false)
	gap(t, gaps, "./local/dir", false)
	if n := blocking(gaps); n != 4 {
		t.Errorf("%d gaps block: %+v", n, gaps)
	}
	for _, g := range gaps {
		if strings.Contains(g.Reason, "secret") {
			t.Errorf("a credential is told: %s", g.Reason)
		}
	}
}

func TestRequirementsOfOtherForms(t *testing.T) {
	for name, c := range map[string]struct {
		text  string
		found int
		told  string
	}{
		"cut in a continued line":        {"a==1.0 \\\n", 1, ""},
		"UTF-16 as PowerShell writes it": {utf16le("a==1.0\r\nb==2.0\r\n"), 2, ""},
		"a mark at the start":            {"\xef\xbb\xbfa==1.0\n", 1, ""},
		"a comment with a backslash":     {"# c \\\na==1.0\n", 1, ""},
		"an address with a hash sign":    {"a==1.0\nhttps://x.example/y#sha=1\n", 1, ""},
		"nothing":                        {"", 0, ""},
		"constraints that are not there": {"-c limits.txt\na==1\n", 1, "limits.txt"},
		"an included file in short form": {"-rmore.txt\n", 0, "includes more.txt"},
		"an included file in long form":  {"--requirement=more.txt\n", 0, "includes more.txt"},
		"an endless line":                {strings.Repeat("x", 2<<20), 0, "cannot be read"},
		"binary":                         {"\x00\x01\x02==1", 0, "a line cannot be read"},
		"a pin that is an environment":   {"a==${VERSION}\n", 0, "a line cannot be read"},
		"itself":                         {"-r requirements.txt\na==1\n", 1, ""},
	} {
		_, found, gaps := inventoryOf(t, map[string]string{"requirements.txt": c.text})
		if len(found) != c.found {
			t.Errorf("%s: found %+v", name, found)
		}
		if c.told != "" {
			gap(t, gaps, c.told, true)
		} else if blocking(gaps) > 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

func TestPyprojectNeedsAFileWithVersions(t *testing.T) {
	project := "[project]\nname = \"x\"\ndependencies = [\"a>1\"]\n"
	for name, c := range map[string]struct {
		files map[string]string
		told  string
	}{
		"none":                           {map[string]string{"p/pyproject.toml": project}, "pip-compile"},
		"requirements beside it":         {map[string]string{"p/pyproject.toml": project, "p/requirements.txt": "a==1\n"}, ""},
		"requirements of another thing":  {map[string]string{"p/pyproject.toml": project, "p/requirements-docs.txt": "sphinx==1\n"}, "p/pyproject.toml: it asks for 1 package of which no file beside it says the version, the first is a: pip-compile pyproject.toml"},
		"requirements that include it":   {map[string]string{"p/pyproject.toml": project, "p/requirements.txt": "-r ../requirements-base.txt\n", "requirements-base.txt": "a==1\n"}, ""},
		"requirements with an address":   {map[string]string{"p/pyproject.toml": project, "p/requirements.txt": "a @ https://example.com/a.whl\n"}, ""},
		"constraints alone":              {map[string]string{"p/pyproject.toml": project, "p/constraints.txt": "a==1\n"}, "no file says which versions"},
		"a lockfile of another manifest": {map[string]string{"p/pyproject.toml": project, "p/Pipfile.lock": `{"_meta":{},"default":{"b":{"version":"==1"}}}`}, "the first is a: pip-compile"},
		"a setup.py of another thing":    {map[string]string{"p/setup.py": "setup(install_requires=[\n 'b[x]>1', # c\n \"a\",\n])\n", "p/requirements.txt": "b==1\n"}, "p/setup.py: it asks for 1 package of which no file beside it says the version, the first is a: pip-compile setup.py"},
		"a setup.cfg of another thing":   {map[string]string{"p/setup.cfg": "[options]\ninstall_requires =\n  b\n\n  a>1\nzip_safe = no\n", "p/requirements.txt": "b==1\n"}, "the first is a: pip-compile setup.cfg"},
		"a requirements.in that went on": {map[string]string{"p/requirements.in": "b\na\nold; python_version < '3'\n", "p/requirements.txt": "b==1\n"}, "it asks for 1 package of which no file beside it says the version, the first is a: pip-compile requirements.in"},
		"a lockfile that cannot be read": {map[string]string{"p/pyproject.toml": project, "p/uv.lock": ""}, "p/uv.lock: it cannot be read"},
		"a lockfile":                     {map[string]string{"p/pyproject.toml": project, "p/poetry.lock": "[[package]]\nname = \"a\"\nversion = \"1.0\"\n[metadata]\n"}, ""},
		"a lockfile that lacks it":       {map[string]string{"p/pyproject.toml": project, "p/poetry.lock": "[metadata]\n"}, "the first is a: poetry lock"},
		"a lockfile with a name":         {map[string]string{"p/pyproject.toml": project, "p/pylock.prod.toml": "lock-version = \"1.0\"\n"}, ""},
		"a lockfile in another folder":   {map[string]string{"p/pyproject.toml": project, "uv.lock": "version = 1\n"}, "pip-compile"},
		"a project of uv":                {map[string]string{"p/pyproject.toml": project + "[tool.uv]\n"}, "uv lock"},
		"a project of pdm":               {map[string]string{"p/pyproject.toml": "[tool.pdm.dev-dependencies]\ntest = [\"pytest\"]\n"}, "pdm lock"},
		"groups alone":                   {map[string]string{"p/pyproject.toml": "[dependency-groups]\ntest = [\"pytest\"]\n"}, "pip-compile"},
		"only settings of tools":         {map[string]string{"p/pyproject.toml": "[tool.black]\nline-length = 100\n[tool.poetry.dependencies]\npython = \"^3\"\n"}, ""},
		"poetry":                         {map[string]string{"p/pyproject.toml": "[tool.poetry.dependencies]\npython = \"^3\"\na = \"1\"\n"}, "poetry lock"},
		"cut short":                      {map[string]string{"p/pyproject.toml": "[project"}, "cannot be read"},
		"a setup.py that asks":           {map[string]string{"p/setup.py": "setup(name='x', install_requires=['a>1'])\n"}, "pip-compile setup.py"},
		"one with versions beside it":    {map[string]string{"p/setup.py": "setup(install_requires=['a>1'])\n", "p/requirements.txt": "a==1\n"}, ""},
		"a setup.py that asks not":       {map[string]string{"p/setup.py": "setup(name='x')\n"}, ""},
		"a setup.cfg that asks":          {map[string]string{"p/setup.cfg": "[options]\ninstall_requires =\n  a>1\n"}, "pip-compile setup.cfg"},
		"what pip-compile starts from":   {map[string]string{"p/requirements.in": "a>1\n"}, "pip-compile requirements.in"},
		"a Pipfile without its lock":     {map[string]string{"p/Pipfile": "[packages]\na = \"*\"\n"}, "pipenv lock"},
		"conda":                          {map[string]string{"p/environment.yml": "channels: [x]\ndependencies: [a=1]\n"}, "components of Conda are not read"},
		"another environment.yml":        {map[string]string{"p/environment.yml": "name: prod\n"}, ""},
	} {
		_, _, gaps := inventoryOf(t, c.files)
		if c.told != "" {
			gap(t, gaps, c.told, true)
		} else if blocking(gaps) > 0 {
			t.Errorf("%s: %+v", name, gaps)
		}
	}
}

// What a file takes in by -r is installed, whatever its name.
func TestConstraintsThatAreIncludedAreJudged(t *testing.T) {
	_, found, _ := inventoryOf(t, map[string]string{"requirements.txt": "-r constraints.txt\n-c limits-constraints.txt\n", "constraints.txt": "django==2.0\n", "limits-constraints.txt": "unused==1\n"})
	sameLines(t, found, "constraints.txt:1 pkg:pypi/django@2.0 direct")
}

// Whether a program's list is complete cannot be read, and the bill must not say that it is.
func TestAProgramThatAsksIsTold(t *testing.T) {
	_, _, gaps := inventoryOf(t, map[string]string{"setup.py": "setup(install_requires=read('requirements.txt'))\n", "requirements.txt": "a==1\n"})
	gap(t, gaps, "setup.py: some of what it asks for cannot be told by reading it", false)
	_, _, gaps = inventoryOf(t, map[string]string{"pyproject.toml": "[project]\ndependencies=[\"a\"]\n[dependency-groups]\ntest=[\"pytest\"]\n", "requirements.txt": "a==1\n"})
	gap(t, gaps, "it asks for 1 package for development or on a condition", false)
}

func TestNamesOfRequirementsFiles(t *testing.T) {
	x := &pip{}
	for p, want := range map[string]bool{
		"requirements.txt": true, "requirements-dev.txt": true, "dev-requirements.txt": true, "requirements.lock.txt": true, "a/requirements/prod.txt": true, "constraints.txt": true,
		"Requirements.txt": true, "notes.txt": false, "requirements.in": true, "requirements.txt.bak": false, "myrequirements.md": false,
	} {
		if got := x.wants(p); got != want {
			t.Errorf("%s wanted: %v", p, got)
		}
	}
}

func utf16le(s string) string {
	out := "\xff\xfe"
	for _, c := range s {
		out += string([]byte{byte(c), 0})
	}
	return out
}
