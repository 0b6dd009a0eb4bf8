package law

import (
	"fmt"
	"go/ast"
	"path"
	"sort"
	"strings"
)

const (
	mostLines     = 800 // of a file
	longFunction  = 60  // lines from here on are many for a function
	shortShare    = 95  // percent of functions that stay below it
	mostMethods   = 7   // of an interface
	shareFromHere = 20  // functions: a share of fewer says nothing
)

// dataTables may be longer than other files: rows of one table, each with why.
var dataTables = map[string]string{
	"docs/cli.md": "written by the program from its table of commands, and compared with it by a test",
}

var fileSizeLaw = law{
	name: "no file is longer than 800 lines",
	check: func(tr *tree) []breach {
		var out []breach
		for p, text := range tr.texts {
			if _, table := dataTables[p]; table || !handwritten(p) {
				continue
			}
			if n := strings.Count(text, "\n"); n > mostLines {
				out = append(out, breach{p, 0, fmt.Sprintf("%d lines", n), "divide it by what a reader looks for, or list it as a data table in law/size_test.go"})
			}
		}
		for p := range dataTables {
			if _, there := tr.texts[p]; !there && tr.texts["law/size_test.go"] != "" {
				out = append(out, breach{p, 0, "listed as a data table and not there", "take it off the list in law/size_test.go"})
			}
		}
		return out
	},
	broken: []example{{"801 lines", "-- git/a.go --\npackage git\n" + strings.Repeat("//\n", 800), "801 lines"}},
	fine:   []example{{"800 lines", "-- git/a.go --\npackage git\n" + strings.Repeat("//\n", 799), ""}},
}

// handwritten reports whether people maintain the file line by line.
func handwritten(p string) bool {
	switch path.Ext(p) {
	case ".go", ".rego", ".sql", ".sh", ".ts", ".css", ".html", ".md":
		return !strings.Contains(p, "testdata/")
	}
	return path.Base(p) == "Makefile"
}

var functionSizeLaw = law{
	name: "95 % of functions are shorter than 60 lines",
	check: func(tr *tree) []breach {
		type function struct {
			path, name  string
			line, lines int
		}
		var all, long []function
		for _, s := range tr.gos {
			for _, d := range s.ast.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || f.Body == nil {
					continue
				}
				lines := tr.fset.Position(f.End()).Line - tr.line(f) + 1
				x := function{s.path, f.Name.Name, tr.line(f), lines}
				all = append(all, x)
				if lines >= longFunction {
					long = append(long, x)
				}
			}
		}
		if len(all) < shareFromHere || len(long)*100 <= (100-shortShare)*len(all) {
			return nil
		}
		sort.Slice(long, func(i, j int) bool { return long[i].lines > long[j].lines })
		var out []breach
		for _, x := range long[:min(len(long), 10)] {
			out = append(out, breach{x.path, x.line, fmt.Sprintf("%s has %d lines; %d of %d functions are this long", x.name, x.lines, len(long), len(all)),
				"take a step out of it that has a name of its own"})
		}
		return out
	},
	broken: []example{{"two long ones of twenty", "-- git/a.go --\npackage git\n" + functions(18, 1) + functions(2, 58), "2 of 20"}},
	fine:   []example{{"one long one of twenty", "-- git/a.go --\npackage git\n" + functions(19, 1) + functions(1, 58), ""}},
}

func functions(n, lines int) string {
	one := "func f() {\n" + strings.Repeat("\t_ = 0\n", lines) + "}\n"
	return strings.Repeat(one, n)
}

var interfaceSizeLaw = law{
	name: "no interface has more than seven methods",
	check: func(tr *tree) []breach {
		declared := map[string]*ast.InterfaceType{} // "folder.Name"
		for _, s := range tr.gos {
			eachInterface(s, func(name string, i *ast.InterfaceType) { declared[s.dir+"."+name] = i })
		}
		var out []breach
		for _, s := range tr.gos {
			eachInterface(s, func(name string, i *ast.InterfaceType) {
				if n := methods(declared, s.dir, i, 0); n > mostMethods {
					out = append(out, breach{s.path, tr.line(i), fmt.Sprintf("%s has %d methods", name, n), "make the optional abilities a second interface"})
				}
			})
		}
		return out
	},
	broken: []example{
		{"eight", "-- git/a.go --\npackage git\ntype R interface{ A(); B(); C(); D(); E(); F(); G(); H() }\n", "R has 8 methods"},
		{"four and an embedded four", "-- git/a.go --\npackage git\ntype R interface{ A(); B(); C(); D() }\ntype S interface{ R; E(); F(); G(); H() }\n", "S has 8 methods"},
	},
	fine: []example{{"seven", "-- git/a.go --\npackage git\ntype R interface{ A(); B(); C(); D(); E(); F(); G() }\n", ""}},
}

func eachInterface(s *source, visit func(string, *ast.InterfaceType)) {
	ast.Inspect(s.ast, func(n ast.Node) bool {
		if spec, ok := n.(*ast.TypeSpec); ok {
			if i, ok := spec.Type.(*ast.InterfaceType); ok {
				visit(spec.Name.Name, i)
			}
		}
		return true
	})
}

// methods counts an interface's methods, those of embedded interfaces of the same
// package included; one of another package counts as one.
func methods(declared map[string]*ast.InterfaceType, dir string, i *ast.InterfaceType, depth int) int {
	n := 0
	for _, m := range i.Methods.List {
		if len(m.Names) > 0 {
			n += len(m.Names)
			continue
		}
		id, ok := m.Type.(*ast.Ident)
		if inner := declared[dir+"."+identName(id)]; ok && inner != nil && depth < mostMethods {
			n += methods(declared, dir, inner, depth+1)
		} else if _, constraint := m.Type.(*ast.BinaryExpr); !constraint {
			n++
		}
	}
	return n
}

func identName(id *ast.Ident) string {
	if id == nil {
		return ""
	}
	return id.Name
}
