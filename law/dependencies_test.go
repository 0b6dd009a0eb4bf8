package law

import (
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"

	"golang.org/x/mod/modfile"
)

// reasonRow is a row of a table in DEPENDENCIES.md: the module, and why it is needed.
var reasonRow = regexp.MustCompile("(?m)^\\| `([^`]+)` \\| (.*?) \\|$")

var dependenciesLaw = law{
	name: "each direct dependency has a line of reason",
	check: func(tr *tree) []breach {
		given := map[string]string{}
		for _, m := range reasonRow.FindAllStringSubmatch(tr.texts["DEPENDENCIES.md"], -1) {
			given[m[1]] = strings.TrimSpace(m[2])
		}
		needed := map[string]string{} // module → the go.mod that asks for it
		var out []breach
		for _, p := range modFiles(tr) {
			mod, err := modfile.Parse(p, []byte(tr.texts[p]), nil)
			if err != nil {
				return []breach{{p, 0, err.Error(), "mend the file"}}
			}
			for _, r := range mod.Require {
				if !r.Indirect {
					needed[r.Mod.Path] = p
				}
			}
			for _, t := range mod.Tool { // go mod tidy marks what only tools need as indirect
				needed[longestModule(mod, t.Path)] = p
			}
		}
		for module, p := range needed {
			if len(strings.Fields(given[module])) < 3 {
				out = append(out, breach{p, 0, module + " has no line of reason in DEPENDENCIES.md",
					"say there in one line what it does that we do not want to write, or do without it"})
			}
		}
		for module := range given {
			if needed[module] == "" {
				out = append(out, breach{"DEPENDENCIES.md", 0, module + " has a reason and is required by no go.mod", "take the line out"})
			}
		}
		return out
	},
	broken: []example{
		{"a new one", "-- go.mod --\nmodule verdict\nrequire golang.org/x/mod v0.42.0\n-- DEPENDENCIES.md --\n# Dependencies\n", "golang.org/x/mod has no line of reason"},
		{"a new one in a nested module", "-- go.mod --\nmodule verdict\n-- test/peers/go.mod --\nmodule peers\nrequire golang.org/x/mod v0.42.0\n", "golang.org/x/mod has no line of reason"},
		{"an empty reason", "-- go.mod --\nmodule verdict\nrequire golang.org/x/mod v0.42.0\n-- DEPENDENCIES.md --\n| `golang.org/x/mod` |  |\n", "no line of reason"},
		{"a stale line", "-- go.mod --\nmodule verdict\n-- DEPENDENCIES.md --\n| `golang.org/x/mod` | the tree of the log |\n", "required by no go.mod"},
	},
	fine: []example{{"reasons for the direct ones alone", "-- go.mod --\nmodule verdict\nrequire (\n\tgolang.org/x/mod v0.42.0\n\tgolang.org/x/net v0.1.0 // indirect\n)\n-- DEPENDENCIES.md --\n| `golang.org/x/mod` | the tree of the log |\n", ""}},
}

var directImportsLaw = law{
	name: "go.mod tells direct from indirect dependencies as the code does",
	check: func(tr *tree) []breach {
		mod, err := modfile.Parse("go.mod", []byte(tr.texts["go.mod"]), nil)
		if err != nil {
			return []breach{{"go.mod", 0, err.Error(), "mend the file"}}
		}
		used := map[string]string{} // package → a file or directive that needs it
		for _, t := range mod.Tool {
			used[t.Path] = toolDirective
		}
		for _, s := range tr.gos {
			_, foreign := s.imports(tr.module)
			for _, p := range foreign {
				used[p] = s.path
			}
		}
		var out []breach
		for _, r := range mod.Require {
			user := ""
			for p, by := range used {
				if (p == r.Mod.Path || strings.HasPrefix(p, r.Mod.Path+"/")) && longestModule(mod, p) == r.Mod.Path {
					user = by
				}
			}
			switch {
			case r.Indirect && user != "" && user != toolDirective:
				out = append(out, breach{"go.mod", r.Syntax.Start.Line, fmt.Sprintf("%s is marked indirect and used by %s", r.Mod.Path, user), "move it to the direct ones and give its reason"})
			case !r.Indirect && user == "":
				out = append(out, breach{"go.mod", r.Syntax.Start.Line, r.Mod.Path + " is required and nothing imports it", "take it out, or mark it indirect when another module needs it"})
			}
		}
		return out
	},
	broken: []example{
		{"an import of an indirect one", "-- go.mod --\nmodule verdict\nrequire golang.org/x/mod v0.42.0 // indirect\n-- git/a.go --\npackage git\nimport _ \"golang.org/x/mod/semver\"\n", "marked indirect and used by git/a.go"},
		{"a direct one that nobody needs", "-- go.mod --\nmodule verdict\nrequire golang.org/x/mod v0.42.0\n", "nothing imports it"},
	},
	fine: []example{{"an import, a tool, and a module below another", `-- go.mod --
module verdict
tool honnef.co/go/tools/cmd/staticcheck
require (
	honnef.co/go/tools v0.8.2
	example.org/a v1.0.0 // indirect
	example.org/a/b v1.0.0
)
-- git/a.go --
package git
import _ "example.org/a/b/c"
`, ""}},
}

// toolDirective stands for the use of a module by go tool.
const toolDirective = "the tool directive"

// longestModule is the required module that a package comes from.
func longestModule(mod *modfile.File, pkg string) string {
	best := ""
	for _, r := range mod.Require {
		if p := r.Mod.Path; (pkg == p || strings.HasPrefix(pkg, p+"/")) && len(p) > len(best) {
			best = p
		}
	}
	return best
}

func modFiles(tr *tree) []string {
	var out []string
	for p := range tr.texts {
		if path.Base(p) == "go.mod" && !strings.HasPrefix(p, "examples/") && !strings.Contains(p, "testdata/") {
			out = append(out, p)
		}
	}
	sort.Strings(out)
	return out
}
