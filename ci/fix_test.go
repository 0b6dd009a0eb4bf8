package ci

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict"
)

// fixable is a Matcher that knows of each name and version the next version.
type fixable map[string]string

func (f fixable) Match(c verdict.Component) ([]verdict.Vulnerability, error) {
	to, known := f[c.Name+" "+c.Version]
	if !known {
		return nil, nil
	}
	return []verdict.Vulnerability{{ID: "V-1", Component: c, Fixed: to, Severity: verdict.SeverityHigh, Malicious: to == "malicious"}}, nil
}
func (f fixable) Database() verdict.Database { return verdict.Database{Name: "test"} }
func (f fixable) Covers(string) bool         { return true }

const (
	commitOfV4 = "11bd71901bbe5b1630ceea73d27597364c9af683"
	digestOf3  = "sha256:beefdbd8a1da6d2915566fde36db9db0b524eb737fc57cd1367effd16dc0d06d"
)

// mended runs the check over a repository, writes the fixes, and gives the files' new
// contents, what was left and the diff.
func mended(t *testing.T, files map[string]string, m Matcher) (after map[string]string, left []string, diff string) {
	t.Helper()
	dir, _ := committed(t, files)
	r := ran(t, dir, Options{Matcher: m})
	pins, err := ParsePins([]byte("# pins\nactions/checkout v4 " + commitOfV4 + "\nalpine 3.20 " + digestOf3 + "\n"))
	must(t, err)
	edits, unfixed, err := r.Fixes(m, pins, func(p string) ([]byte, error) { return r.ReadWalked(dir, p) })
	must(t, err)
	changes, err := r.Mend(t.Context(), dir, edits)
	must(t, err)
	after = map[string]string{}
	for name := range files {
		b, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		after[name] = string(b)
	}
	for _, u := range unfixed {
		left = append(left, u.Path+": "+u.Why)
	}
	return after, left, string(changes)
}

// An edit that is not safe breaks somebody's build; one that is not made where it could be
// is work that the machine should have done.
func TestWhatIsSafeIsMendedAndTheRestIsTold(t *testing.T) {
	known := fixable{
		"requests 2.19.0": "2.20.0", "flask 0.12.2": "1.0.0", "jinja2 2.10.1": "2.11.3", "django 2.2.1": "2.2.2", "django 2.2.2": "2.2.28", "six 1.0": "",
		"org.yaml:snakeyaml 1.26": "1.33", "lodash 4.17.20": "4.17.21", "evil 1.0.0": "malicious", "urllib3 1.26.1": "1.26.5",
	}
	for name, c := range map[string]struct{ file, before, after, left string }{
		"a pinned requirement":               {"requirements.txt", "# web\nrequests==2.19.0  # http\r\nsix==1.1\n", "# web\nrequests==2.20.0  # http\r\nsix==1.1\n", ""},
		"a version that is affected in turn": {"requirements.txt", "django==2.2.1\n", "django==2.2.28\n", ""},
		"another first number":               {"requirements.txt", "flask==0.12.2\n", "", "may change what your code relies on"},
		"no fixed version":                   {"requirements.txt", "six==1.0\n", "", "no version that is known to be unaffected"},
		"hashes beside the version":          {"requirements.txt", "urllib3==1.26.1 --hash=sha256:" + strings.Repeat("a", 64) + "\n", "", "stands in a lockfile"},
		"a version that stands there twice":  {"requirements.txt", "jinja2==2.10.1 # not 2.10.1\n", "", "does not stand once in the line"},
		"a pom": {"pom.xml", "<project><groupId>a</groupId><artifactId>b</artifactId><version>1.26</version>\n<dependencies>\n<dependency>\n <groupId>org.yaml</groupId>\n <artifactId>snakeyaml</artifactId>\n <version>1.26</version>\n</dependency>\n</dependencies></project>\n",
			"<project><groupId>a</groupId><artifactId>b</artifactId><version>1.26</version>\n<dependencies>\n<dependency>\n <groupId>org.yaml</groupId>\n <artifactId>snakeyaml</artifactId>\n <version>1.33</version>\n</dependency>\n</dependencies></project>\n", ""},
		"a pom that takes it from a property": {"pom.xml", "<project><groupId>a</groupId><artifactId>b</artifactId><version>1</version>\n<properties><y>1.26</y></properties>\n<dependencies>\n<dependency>\n <groupId>org.yaml</groupId>\n <artifactId>snakeyaml</artifactId>\n <version>${y}</version>\n</dependency>\n</dependencies></project>\n",
			"", "does not stand once in the line"},
		"a lockfile of npm": {"package-lock.json", `{"lockfileVersion": 3, "packages": {"": {"dependencies": {"lodash": "4.17.20"}}, "node_modules/lodash": {"version": "4.17.20", "integrity": "sha512-AAAA"}}}`, "", "lockfile, which its tool writes: npm install lodash@4.17.21"},
		"a tag of an action": {".github/workflows/a.yml", "on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4\n",
			"on: push\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@" + commitOfV4 + " # v4\n", ""},
		"a tag that the table has not": {".github/workflows/a.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: 'actions/cache@v4'\n", "", "is in no table of pins"},
		"a tag with a comment behind":  {".github/workflows/a.yml", "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n      - uses: actions/checkout@v4 # the last one\n", "", "write " + commitOfV4 + " there"},
		"a base image":                 {"Dockerfile", "FROM alpine:3.20 AS base\n", "FROM alpine:3.20@" + digestOf3 + " AS base\n", ""},
	} {
		t.Run(name, func(t *testing.T) {
			after, left, diff := mended(t, map[string]string{c.file: c.before}, known)
			want := c.after
			if want == "" {
				want = c.before
			}
			if after[c.file] != want {
				t.Errorf("it became\n%s\nleft: %q", after[c.file], left)
			}
			if c.left != "" && !slices.ContainsFunc(left, func(l string) bool { return strings.Contains(l, c.left) }) {
				t.Errorf("left: %q", left)
			}
			if (diff == "") != (c.after == "") || c.after != "" && !strings.Contains(diff, "+++ b/"+c.file) {
				t.Errorf("diff:\n%s", diff)
			}
		})
	}
}

// What became of a file between check and fix is somebody's work.
func TestAFileThatChangedSinceIsNotMended(t *testing.T) {
	dir, _ := committed(t, map[string]string{"requirements.txt": "requests==2.19.0\n"})
	m := fixable{"requests 2.19.0": "2.20.0"}
	r := ran(t, dir, Options{Matcher: m})
	edits, _, err := r.Fixes(m, nil, func(p string) ([]byte, error) { return r.ReadWalked(dir, p) })
	must(t, err)
	if len(edits) != 1 {
		t.Fatalf("edits: %+v", edits)
	}
	write(t, dir, "requirements.txt", "requests==2.19.1\n")
	if _, err := r.Mend(t.Context(), dir, edits); err == nil {
		t.Error("it was written over")
	}
	outside := filepath.Join(t.TempDir(), "r.txt")
	must(t, os.WriteFile(outside, []byte("requests==2.19.0\n"), 0o600))
	must(t, os.Remove(filepath.Join(dir, "requirements.txt")))
	must(t, os.Symlink(outside, filepath.Join(dir, "requirements.txt")))
	if _, err := r.Mend(t.Context(), dir, edits); err == nil {
		t.Error("it was written through a link")
	}
	if b, _ := os.ReadFile(outside); string(b) != "requests==2.19.0\n" {
		t.Errorf("the file outside became %q", b)
	}
}

func TestCompatibleVersionsKeepTheirFirstNumber(t *testing.T) {
	for _, c := range []struct {
		from, to string
		want     bool
	}{
		{"1.2.3", "1.2.4", true}, {"1.2.3", "1.9.0", true}, {"1.2.3", "2.0.0", false}, {"v1.2.3", "1.3.0", true}, {"0.4.1", "0.4.2", true}, {"0.4.1", "0.5.0", false},
		{"0.0.1", "0.0.2", false}, {"2024.1", "2024.2", true}, {"1", "1.1", true}, {"a", "b", false}, {"", "1", false}, {"r09", "33.0-jre", false}, {"0.0.0", "0.0.1", false},
	} {
		if got := compatible(c.from, c.to); got != c.want {
			t.Errorf("%s to %s: %v", c.from, c.to, got)
		}
	}
}

func TestTablesOfPinsThatAreNone(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "a v1\n", "a v1 main\n", "a v1 " + commitOfV4[:39] + "\n", "a v1 " + commitOfV4 + " x\n", "a v1 " + commitOfV4 + "\na v1 " + strings.Repeat("0", 40) + "\n"} {
		if _, err := ParsePins([]byte(text)); err == nil {
			t.Errorf("%.60q is a table of pins", text)
		}
	}
}
