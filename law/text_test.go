package law

import (
	"fmt"
	"go/ast"
	"path"
	"regexp"
	"strings"
)

// The words are put together here so that this file does not break its own laws.
var (
	unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XX` + `X|(?i)not ` + `implemented|un` + `implemented|for ` + `now|st` + `ub(s|bed)?)\b`)
	registries = regexp.MustCompile(`(?i)\b((goproxy|proxy|sum)\.go` + `lang\.org|goproxy\.(io|cn)|registry\.(np` + `mjs\.org|np` + `mjs\.com|yarn` + `pkg\.com)|np` + `m\.pkg\.github\.com)\b`)
)

var unfinishedLaw = law{
	name: "nothing reads like unfinished work",
	check: func(tr *tree) []breach {
		return grep(tr, unfinished, func(p string) bool { return !strings.Contains(p, "testdata/") && !strings.Contains(p, "third_party/") },
			"finish it, or say in README.md that it is not built yet")
	},
	broken: []example{
		{"a mark", "-- git/a.go --\npackage git // TO" + "DO later\n", "TO" + "DO"},
		{"an excuse", "-- a.md --\nThis is enough for " + "now.\n", "for " + "now"},
		{"a message", "-- policy/rules/a.rego --\n# not " + "implemented\n", "not " + "implemented"},
	},
	fine: []example{
		{"words that contain one", "-- a.sh --\nmktemp -d /tmp/a.XXXXXX\n# stubborn methods, for nowhere, todo lists\n", ""},
		{"what others published, kept as it is", "-- sbom/third_party/a.json --\n{\"$comment\": \"TO" + "DO later\"}\n", ""},
	},
}

var registryHostLaw = law{
	name: "no file names the host of a package registry",
	check: func(tr *tree) []breach {
		return grep(tr, registries, func(string) bool { return true }, "say what is fetched, not where from: that is the user's setting")
	},
	broken: []example{
		{"a lockfile", "-- examples/a/package-lock.json --\n{\"resolved\": \"https://registry.np" + "mjs.org/a.tgz\"}\n", "registry.np" + "mjs.org"},
		{"a script", "-- a.sh --\nexport GOPROXY=https://proxy.go" + "lang.org\n", "proxy.go" + "lang.org"},
	},
	fine: []example{{"the language's own pages", "-- a.md --\nSee https://go.dev and golang.org/x/mod and crates.io.\n", ""}},
}

// grep finds the first line of each text file that an expression matches.
func grep(tr *tree, x *regexp.Regexp, in func(string) bool, remedy string) []breach {
	var out []breach
	for p, text := range tr.texts {
		if !in(p) || p == "LICENSE" {
			continue
		}
		if at := x.FindStringIndex(text); at != nil {
			out = append(out, breach{p, 1 + strings.Count(text[:at[0]], "\n"), fmt.Sprintf("says %q", text[at[0]:at[1]]), remedy})
		}
	}
	return out
}

const (
	mostReadme       = 200 // lines
	mostArchitecture = 110 // lines: two printed pages
)

var markdownLink = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)

var documentsLaw = law{
	name: "documents are short, and their links lead somewhere",
	check: func(tr *tree) []breach {
		var out []breach
		for p, most := range map[string]int{"README.md": mostReadme, "ARCHITECTURE.md": mostArchitecture} {
			if n := strings.Count(tr.texts[p], "\n"); n > most {
				out = append(out, breach{p, 0, fmt.Sprintf("%d lines, of at most %d", n, most), "link to code instead of repeating it"})
			}
		}
		for p, text := range tr.texts {
			if path.Ext(p) != ".md" {
				continue
			}
			for _, m := range markdownLink.FindAllStringSubmatch(text, -1) {
				target := path.Join(path.Dir(p), m[1])
				if !strings.Contains(m[1], ":") && !tr.has(target) {
					out = append(out, breach{p, 0, "links to " + m[1] + ", which is not there", "mend the link"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"a long README", "-- README.md --\n" + strings.Repeat("x\n", 201), "201 lines"},
		{"a dead link", "-- docs/design/README.md --\n[note](gone.md)\n", "links to gone.md"},
	},
	fine: []example{{"links to a file, a folder, a heading and the web", "-- README.md --\n[a](docs/a.md) [b](docs) [c](docs/a.md#x) [d](https://example.org)\n-- docs/a.md --\nx\n", ""}},
}

// has reports whether the tree holds a text file or a folder of that name.
func (tr *tree) has(p string) bool {
	if _, ok := tr.texts[p]; ok {
		return true
	}
	for q := range tr.texts {
		if strings.HasPrefix(q, p+"/") {
			return true
		}
	}
	return false
}

var fuzzListLaw = law{
	name: "make fuzz runs every fuzz target",
	check: func(tr *tree) []breach {
		listed := map[string]bool{}
		for _, m := range fuzzEntry.FindAllStringSubmatch(tr.texts["Makefile"], -1) {
			listed[m[1]] = true
		}
		var out []breach
		for _, s := range tr.gos {
			for _, d := range s.ast.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !s.test || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Fuzz") {
					continue
				}
				name := "./" + s.dir + ":" + f.Name.Name
				if !listed[name] {
					out = append(out, breach{s.path, tr.line(f), name + " is not in FUZZ of the Makefile", "add it there"})
				}
				delete(listed, name)
			}
		}
		for name := range listed {
			out = append(out, breach{"Makefile", 0, "FUZZ lists " + name + ", which is not there", "take it out"})
		}
		return out
	},
	broken: []example{
		{"a new target", "-- git/a_test.go --\npackage git\nfunc FuzzHead(f *testing.F) {}\n-- Makefile --\nFUZZ = \\\n", "./git:FuzzHead is not in FUZZ"},
		{"a target that is gone", "-- Makefile --\nFUZZ = \\\n\t./git:FuzzHead\n", "which is not there"},
	},
	fine: []example{{"one of each", "-- git/a_test.go --\npackage git\nfunc FuzzHead(f *testing.F) {}\n-- Makefile --\nFUZZ = \\\n\t./git:FuzzHead\n", ""}},
}

// fuzzEntry is one entry of the Makefile's FUZZ list.
var fuzzEntry = regexp.MustCompile(`(?m)^\t(\./[a-z0-9/]*:Fuzz\w+)`)

// honestyLaw holds the table of guards to the tests that there are: a guard whose test was
// renamed or taken out would still be promised there.
var honestyLaw = law{
	name: "each test that docs/honesty.md names exists",
	check: func(tr *tree) []breach {
		there := map[string]bool{}
		for _, s := range tr.gos {
			for _, d := range s.ast.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && s.test && f.Recv == nil {
					there[f.Name.Name] = true
				}
			}
		}
		for p := range tr.texts {
			there[path.Base(p)] = true
		}
		var out []breach
		for i, line := range strings.Split(tr.texts[honestyFile], "\n") {
			for _, m := range honestyEntry.FindAllStringSubmatch(line, -1) {
				if !there[m[1]] {
					out = append(out, breach{honestyFile, i + 1, "there is no test " + m[1], "name the test that fails without the guard now, or write it"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"a test that is gone", "-- docs/honesty.md --\n| x | `TestGone` |\n", "there is no test TestGone"},
		{"a script that is gone", "-- docs/honesty.md --\n| x | `gone.txtar` |\n", "there is no test gone.txtar"},
	},
	fine: []example{{"one of each", "-- docs/honesty.md --\n| x | `TestHere` `here.md` `--report-only` |\n-- git/a_test.go --\npackage git\nfunc TestHere(t *testing.T) {}\n", ""}},
}

const honestyFile = "docs/honesty.md"

// honestyEntry is the name of a test or of a script.
var honestyEntry = regexp.MustCompile("`(Test\\w+|[\\w-]+\\.txtar)`")
