package law

import (
	"fmt"
	"go/ast"
	"path"
	"strings"
)

// bannedNames say where code was put and nothing about what it is.
var bannedNames = map[string]bool{
	"pkg": true, "internal": true, "util": true, "utils": true, "utilities": true, "common": true, "shared": true, "misc": true,
	"helper": true, "helpers": true, "type": true, "types": true, "model": true, "models": true, "service": true,
}

var bannedNamesLaw = law{
	name: "packages and files are named for what a reader looks for",
	check: func(tr *tree) []breach {
		var out []breach
		seen := map[string]bool{}
		for _, s := range tr.gos {
			for _, element := range strings.Split(s.dir, "/") {
				if bannedNames[element] && !seen[s.dir] {
					seen[s.dir] = true
					out = append(out, breach{s.dir, 0, "a folder is named " + element, "name it for what it holds"})
				}
			}
			stem := strings.TrimSuffix(strings.TrimSuffix(path.Base(s.path), ".go"), "_test")
			if bannedNames[stem] {
				out = append(out, breach{s.path, 0, "a file is named " + stem, "name it for what a reader looks for: proof.go, expiry.go"})
			}
			if name := strings.TrimSuffix(s.ast.Name.Name, "_test"); bannedNames[name] {
				out = append(out, breach{s.path, 1, "a package is named " + name, "name it for a noun of the domain"})
			}
		}
		return out
	},
	broken: []example{
		{"a folder", "-- store/internal/x.go --\npackage x\n", "a folder is named internal"},
		{"a file", "-- store/utils.go --\npackage store\n", "a file is named utils"},
		{"a test file", "-- store/helpers_test.go --\npackage store\n", "a file is named helpers"},
		{"a package", "-- store/x.go --\npackage common\n", "a package is named common"},
	},
	fine: []example{{"a word that only contains one", "-- decisionmap/services.go --\npackage decisionmap\n-- git/typed.go --\npackage git\n", ""}},
}

var rootPackageLaw = law{
	name: "the root package is at most ten files over the standard library",
	check: func(tr *tree) []breach {
		var out []breach
		files := 0
		for _, s := range tr.gos {
			if s.dir != "" {
				continue
			}
			files++
			own, foreign := s.imports(tr.module)
			for _, p := range append(own, foreign...) {
				if first, _, _ := strings.Cut(p, "/"); strings.Contains(first, ".") && !s.test {
					out = append(out, breach{s.path, 0, "the vocabulary imports " + p, "the root package needs nothing but the standard library"})
				}
			}
		}
		if files > 10 {
			out = append(out, breach{".", 0, fmt.Sprintf("the root package has %d files", files), "the root listing reads as the architecture: move what is no vocabulary into a room"})
		}
		return out
	},
	broken: []example{
		{"a module", "-- a.go --\npackage verdict\nimport _ \"golang.org/x/mod/semver\"\n", "imports golang.org/x/mod/semver"},
		{"eleven files", func() (s string) {
			for i := range 11 {
				s += fmt.Sprintf("-- f%d.go --\npackage verdict\n", i)
			}
			return s
		}(), "has 11 files"},
	},
	fine: []example{{"the standard library", "-- a.go --\npackage verdict\nimport _ \"encoding/json\"\n-- git/a.go --\npackage git\nimport _ \"golang.org/x/mod/semver\"\n", ""}},
}

var namesLaw = law{
	name: "receivers are one letter and getters have no Get",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			ast.Inspect(s.ast, func(n ast.Node) bool {
				switch d := n.(type) {
				case *ast.FuncDecl:
					if getter(d.Name.Name) {
						out = append(out, breach{s.path, tr.line(d), d.Name.Name + " begins with Get", "name it for what it gives"})
					}
					if d.Recv != nil && len(d.Recv.List[0].Names) > 0 && len(d.Recv.List[0].Names[0].Name) > 1 {
						out = append(out, breach{s.path, tr.line(d), "the receiver " + d.Recv.List[0].Names[0].Name + " is longer than one letter",
							"name it with the first letter of its type"})
					}
				case *ast.InterfaceType:
					for _, m := range d.Methods.List {
						if len(m.Names) > 0 && getter(m.Names[0].Name) {
							out = append(out, breach{s.path, tr.line(m), m.Names[0].Name + " begins with Get", "name it for what it gives"})
						}
					}
				}
				return true
			})
		}
		return out
	},
	broken: []example{
		{"a getter", "-- git/a.go --\npackage git\nfunc GetHead() {}\n", "GetHead begins with Get"},
		{"a getter in an interface", "-- git/a.go --\npackage git\ntype R interface{ GetHead() string }\n", "GetHead begins with Get"},
		{"a long receiver", "-- git/a.go --\npackage git\ntype R int\nfunc (repo R) Head() {}\n", "the receiver repo"},
	},
	fine: []example{{"a word that begins like it", "-- git/a.go --\npackage git\ntype R int\nfunc (r R) Gettysburg() {}\nfunc (R) Head() {}\nfunc get() {}\n", ""}},
}

func getter(name string) bool {
	rest, ok := strings.CutPrefix(name, "Get")
	return ok && rest != "" && rest[0] >= 'A' && rest[0] <= 'Z'
}
