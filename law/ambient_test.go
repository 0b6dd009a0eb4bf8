package law

import (
	"go/ast"
	"strings"
)

// ambient are the things that a process finds around itself: environment, clock,
// chance, the default logger. cmd/verdict reads them and hands them in.
var ambient = map[string]map[string]bool{ // package → names; an empty set means all of it
	"os":           {"Getenv": true, "LookupEnv": true, "Environ": true, "ExpandEnv": true, "Setenv": true, "Exit": true, "Args": true, "Stdin": true, "Stdout": true, "Stderr": true},
	"time":         {"Now": true, "Since": true, "Until": true},
	"crypto/rand":  {"Reader": true, "Read": true, "Text": true, "Int": true, "Prime": true},
	"math/rand":    {},
	"math/rand/v2": {},
	"log":          {},
	"log/slog":     {"Default": true, "SetDefault": true, "Debug": true, "Info": true, "Warn": true, "Error": true, "Log": true},
}

// asDefault may be mentioned, but not called or handed on: as what a field holds when
// the caller left it empty.
var asDefault = map[string]bool{"time.Now": true, "crypto/rand.Reader": true}

// ownChance are the calls that take the system's chance and no other: a key or a
// signature from a source that somebody can predict is no key.
var ownChance = map[string]bool{"GenerateKey": true, "SignASN1": true, "GenerateKeyPair": true}

// ambientPlaces are exceptions, "file: name", each with why.
var ambientPlaces = map[string]string{
	"blob/dir/dir.go: crypto/rand.Read": "the name of a temporary file, which nobody reads",
	"policy/suite.go: time.Now":         "how long a test of a rule took; nothing rests on it",
	"policy/suite.go: time.Since":       "the same",
}

var ambientLaw = law{
	name: "environment, clock, chance and logger are handed in",
	check: func(tr *tree) []breach {
		var out []breach
		used := map[string]bool{}
		for _, s := range tr.product() {
			if r, _ := room(s.dir); r == "cmd/verdict" {
				continue
			}
			defaults := givenPlainly(s)
			ast.Inspect(s.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg := ambientPackage(s, sel)
				name := pkg + "." + sel.Sel.Name
				if pkg == "" || asDefault[name] && defaults[sel] {
					return true
				}
				if place := s.path + ": " + name; ambientPlaces[place] != "" {
					used[place] = true
					return true
				}
				out = append(out, breach{s.path, tr.line(sel), "uses " + name,
					"take it as a field (Now func() time.Time, Rand io.Reader, Env) or a parameter; cmd/verdict hands it in"})
				return true
			})
		}
		for place := range ambientPlaces {
			if _, there := tr.texts["law/ambient_test.go"]; there && !used[place] {
				out = append(out, breach{"law/ambient_test.go", 0, "the exception " + place + " is not needed", "take it out"})
			}
		}
		return out
	},
	broken: []example{
		{"an exception that nobody needs", "-- law/ambient_test.go --\npackage law\n", "is not needed"},
		{"the environment", "-- git/a.go --\npackage git\nimport \"os\"\nvar x = os.Getenv(\"HOME\")\n", "uses os.Getenv"},
		{"the clock", "-- ledger/a.go --\npackage ledger\nimport \"time\"\nfunc f() { _ = time.Now() }\n", "uses time.Now"},
		{"the clock under another name", "-- ledger/a.go --\npackage ledger\nimport clock \"time\"\nfunc f() { _ = clock.Since(x) }\n", "uses time.Since"},
		{"chance", "-- evidence/a.go --\npackage evidence\nimport \"crypto/rand\"\nfunc f() { g(rand.Reader) }\n", "uses crypto/rand.Reader"},
		{"the default logger", "-- ledger/a.go --\npackage ledger\nimport \"log/slog\"\nfunc f() { slog.Info(\"x\") }\n", "uses log/slog.Info"},
		{"standard output", "-- report/a.go --\npackage report\nimport \"os\"\nvar w = os.Stdout\n", "uses os.Stdout"},
	},
	fine: []example{{"defaults of fields, command, tests and outside", `-- ledger/a.go --
package ledger
import (
	"crypto/rand"
	"log/slog"
	"os"
	"time"
)
func f(o O, l *slog.Logger) {
	if o.Now == nil {
		o.Now = time.Now
	}
	_ = O{Rand: rand.Reader}
	_, _ = ecdsa.GenerateKey(curve, rand.Reader)
	_ = os.Remove("x")
	l.Info("x")
	time.Sleep(1)
}
-- cmd/verdict/m.go --
package main
import "os"
var x = os.Getenv("HOME")
-- git/a_test.go --
package git
import "time"
var x = time.Now()
-- bench/m.go --
package main
import "time"
var x = time.Now()
`, ""}},
}

// ambientPackage is the import path of the ambient package that a selector reaches
// into, or "".
func ambientPackage(s *source, sel *ast.SelectorExpr) string {
	x := asIdent(sel.X)
	if x == nil {
		return ""
	}
	for pkg, names := range ambient {
		known := s.importName(pkg)
		if pkg == "math/rand/v2" && known == "v2" {
			known = "rand"
		}
		if known == x.Name && (len(names) == 0 || names[sel.Sel.Name]) {
			return pkg
		}
	}
	return ""
}

// givenPlainly finds the expressions that are assigned or put into a field as they are,
// and those that make a key or a signature.
func givenPlainly(s *source) map[ast.Expr]bool {
	out := map[ast.Expr]bool{}
	ast.Inspect(s.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, e := range n.Rhs {
				out[e] = true
			}
		case *ast.KeyValueExpr:
			out[n.Value] = true
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && ownChance[sel.Sel.Name] {
				for _, e := range n.Args {
					out[e] = true
				}
			}
		}
		return true
	})
	return out
}

var storedContextLaw = law{
	name: "no struct keeps a context",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			ast.Inspect(s.ast, func(n ast.Node) bool {
				st, ok := n.(*ast.StructType)
				if !ok {
					return true
				}
				for _, f := range st.Fields.List {
					if sel, ok := f.Type.(*ast.SelectorExpr); ok && sel.Sel.Name == "Context" && s.importName("context") != "" && identName(asIdent(sel.X)) == s.importName("context") {
						out = append(out, breach{s.path, tr.line(f), "a struct holds a context.Context", "take it as the first parameter of each method"})
					}
				}
				return true
			})
		}
		return out
	},
	broken: []example{{"a field", "-- git/a.go --\npackage git\nimport \"context\"\ntype R struct{ ctx context.Context }\n", "holds a context.Context"}},
	fine:   []example{{"a parameter, and our own Context", "-- git/a.go --\npackage git\nimport (\n\t\"context\"\n\t\"verdict\"\n)\ntype R struct{ c verdict.Context; f func(context.Context) }\nfunc f(ctx context.Context) {}\n", ""}},
}

var assertionLaw = law{
	name: "each test can fail",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.gos {
			for _, d := range s.ast.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok || !s.test || f.Recv != nil || f.Body == nil || !testFunction(f) {
					continue
				}
				if t := f.Type.Params.List[0].Names; len(t) == 0 || !asserts(f.Body, t[0].Name) {
					out = append(out, breach{s.path, tr.line(f), f.Name.Name + " asserts nothing", "say what a user loses if it breaks, and fail then"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"only runs", "-- git/a_test.go --\npackage git\nfunc TestHead(t *testing.T) {\n\tt.Parallel()\n\tHead()\n\tt.Log(\"ran\")\n}\n", "TestHead asserts nothing"},
		{"unused t", "-- git/a_test.go --\npackage git\nfunc TestHead(*testing.T) {}\n", "TestHead asserts nothing"},
	},
	fine: []example{{"fails itself, or hands t on", "-- git/a_test.go --\npackage git\nfunc TestHead(t *testing.T) {\n\tt.Run(\"x\", func(t *testing.T) { t.Fatal() })\n}\nfunc TestSuite(t *testing.T) { suite(t) }\nfunc TestMain(m *testing.M) { m.Run() }\n", ""}},
}

func testFunction(f *ast.FuncDecl) bool {
	p := f.Type.Params.List
	if !strings.HasPrefix(f.Name.Name, "Test") || len(p) != 1 {
		return false
	}
	star, ok := p[0].Type.(*ast.StarExpr)
	if !ok {
		return false
	}
	sel, ok := star.X.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == "T"
}

// asserts reports whether a body calls something on t that fails, or hands t on.
func asserts(body ast.Node, t string) bool {
	found := false
	ast.Inspect(body, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		if sel, ok := call.Fun.(*ast.SelectorExpr); ok && identName(asIdent(sel.X)) == t {
			switch sel.Sel.Name {
			case "Error", "Errorf", "Fatal", "Fatalf", "Fail", "FailNow":
				found = true
			}
		}
		for _, a := range call.Args {
			found = found || identName(asIdent(a)) == t
		}
		return true
	})
	return found
}
