package law

import (
	"go/ast"
	"path"
	"strings"
)

var remedyLaw = law{
	name: "each error for a person has code, what and remedy",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			later := filledLater(s)
			ast.Inspect(s.ast, func(n ast.Node) bool {
				lit, ok := n.(*ast.CompositeLit)
				if !ok || !isErrorType(tr, s, lit.Type) {
					return true
				}
				for _, field := range []string{"Code", "What", "Remedy"} {
					if !filled(lit, field) && !later[lit][field] {
						out = append(out, breach{s.path, tr.line(lit), "a verdict.Error without " + field,
							"say what happened and the next command or edit; what nobody can act on is fmt.Errorf"})
					}
				}
				return true
			})
		}
		return out
	},
	broken: []example{
		{"no remedy", "-- git/a.go --\npackage git\nimport \"verdict\"\nvar e = &verdict.Error{Code: verdict.CodeInvalid, What: \"x\"}\n", "without Remedy"},
		{"an empty remedy", "-- git/a.go --\npackage git\nimport \"verdict\"\nvar e = &verdict.Error{Code: verdict.CodeInvalid, What: \"x\", Remedy: \"\"}\n", "without Remedy"},
		{"another variable's What", "-- git/a.go --\npackage git\nimport \"verdict\"\nfunc f() {\n\te := &verdict.Error{Code: c, Remedy: \"x\"}\n\tg.What = \"y\"\n}\n", "without What"},
		{"no code, in the root package", "-- a.go --\npackage verdict\nvar e = &Error{What: \"x\", Remedy: \"y\"}\n", "without Code"},
		{"positions instead of names", "-- git/a.go --\npackage git\nimport v \"verdict\"\nvar e = v.Error{v.CodeInvalid, \"x\", \"y\", nil}\n", "without Remedy"},
	},
	fine: []example{{"a full one, another Error, and an empty target", "-- git/a.go --\npackage git\nimport \"verdict\"\nvar e = &verdict.Error{Code: verdict.CodeInvalid, What: \"x\", Remedy: y}\nvar f = &Error{}\nfunc g() { var t *verdict.Error; _ = t }\nfunc h() {\n\te := &verdict.Error{Code: c, Remedy: y}\n\te.What = z\n}\n", ""}},
}

func isErrorType(tr *tree, s *source, t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.Ident:
		return s.dir == "" && t.Name == "Error"
	case *ast.SelectorExpr:
		x, ok := t.X.(*ast.Ident)
		return ok && t.Sel.Name == "Error" && x.Name != "" && x.Name == s.importName(tr.module)
	}
	return false
}

// filled reports whether a keyed literal gives the field a value that is not "".
func filled(lit *ast.CompositeLit, field string) bool {
	for _, e := range lit.Elts {
		if kv, ok := e.(*ast.KeyValueExpr); ok && identName(asIdent(kv.Key)) == field {
			text, constant := constantText(kv.Value)
			return !constant || strings.TrimSpace(text) != ""
		}
	}
	return false
}

// filledLater finds the literals of variables whose fields are assigned afterwards, with
// the names of those fields.
func filledLater(s *source) map[*ast.CompositeLit]map[string]bool {
	out := map[*ast.CompositeLit]map[string]bool{}
	for _, d := range s.ast.Decls {
		literal := map[string]*ast.CompositeLit{}
		ast.Inspect(d, func(n ast.Node) bool {
			assign, ok := n.(*ast.AssignStmt)
			if !ok {
				return true
			}
			for i, left := range assign.Lhs {
				if sel, ok := left.(*ast.SelectorExpr); ok {
					if lit := literal[identName(asIdent(sel.X))]; lit != nil {
						out[lit][sel.Sel.Name] = true
					}
				} else if ref, ok := assign.Rhs[min(i, len(assign.Rhs)-1)].(*ast.UnaryExpr); ok {
					if lit, ok := ref.X.(*ast.CompositeLit); ok {
						literal[identName(asIdent(left))], out[lit] = lit, map[string]bool{}
					}
				}
			}
			return true
		})
	}
	return out
}

func asIdent(e ast.Expr) *ast.Ident {
	id, _ := e.(*ast.Ident)
	return id
}

// ourHost is the host of our predicate types and the end of the default log origin,
// until an owner sets their own.
const ourHost = "verdict.example"

// hostConstants are the only declarations that may spell ourHost.
var hostConstants = map[string]bool{"evidence.DefaultBase": true, "ledger.DefaultOriginSuffix": true}

var predicateBaseLaw = law{
	name: "the base of our predicate types and of the origin is one constant each",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			allowed := map[ast.Expr]bool{}
			ast.Inspect(s.ast, func(n ast.Node) bool {
				if spec, ok := n.(*ast.ValueSpec); ok {
					for i, name := range spec.Names {
						if hostConstants[s.dir+"."+name.Name] && i < len(spec.Values) {
							allowed[spec.Values[i]] = true
						}
					}
				}
				return true
			})
			for _, l := range literals(s) {
				if strings.Contains(l.text, ourHost) && !allowed[l.node.(ast.Expr)] {
					out = append(out, breach{s.path, tr.line(l.node), "spells " + ourHost, "build it from evidence.DefaultBase or ledger.DefaultOriginSuffix"})
				}
			}
		}
		for p, text := range tr.texts {
			if path.Ext(p) == ".rego" && strings.Contains(text, ourHost) {
				out = append(out, breach{p, 0, "spells " + ourHost, "rules read kinds, not predicate types"})
			}
		}
		return out
	},
	broken: []example{
		{"a predicate type", "-- decide/a.go --\npackage decide\nconst t = \"https://verdict.example/decision/v1\"\n", "spells verdict.example"},
		{"a second constant", "-- evidence/a.go --\npackage evidence\nconst Other = \"https://verdict.example\"\n", "spells verdict.example"},
		{"a rule", "-- policy/rules/a.rego --\npackage a\nx := \"https://verdict.example/sbom\"\n", "spells verdict.example"},
	},
	fine: []example{{"the constant, a comment, and a test", "-- evidence/a.go --\npackage evidence\n// DefaultBase is https://verdict.example.\nconst DefaultBase = \"https://verdict.example\"\n-- evidence/a_test.go --\npackage evidence\nconst t = \"https://verdict.example/decision/v1\"\n", ""}},
}
