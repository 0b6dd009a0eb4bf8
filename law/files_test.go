package law

import (
	"go/ast"
	"slices"
)

// closeLaw: some file systems tell only when a file is closed that there was no room for
// what was written into it.
var closeLaw = law{
	name: "a file that is written is closed with its error heard",
	check: func(tr *tree) []breach {
		var out []breach
		for _, s := range tr.product() {
			for _, d := range s.ast.Decls {
				fn, ok := d.(*ast.FuncDecl)
				if !ok || fn.Body == nil {
					continue
				}
				for _, n := range unheard(fn.Body, openedToWrite(fn.Body)) {
					out = append(out, breach{s.path, tr.line(n), "closes a written file and drops the error",
						"err = errors.Join(err, f.Close()), before the file has its name"})
				}
			}
		}
		return out
	},
	broken: []example{
		{"deferred", "-- git/a.go --\npackage git\nfunc f() {\n\tf, err := os.Create(x)\n\tdefer f.Close()\n}\n", "drops the error"},
		{"as a statement, of a temporary file", "-- git/a.go --\npackage git\nfunc f() {\n\tif f, err = os.CreateTemp(x, y); err == nil {\n\t\tf.Close()\n\t}\n}\n", "drops the error"},
		{"on purpose, through a root", "-- git/a.go --\npackage git\nfunc f() {\n\tf, _ := r.OpenFile(x, os.O_RDWR|os.O_CREATE, 0)\n\tgo func() { _ = f.Close() }()\n}\n", "drops the error"},
	},
	fine: []example{{"heard, or only read", `-- git/a.go --
package git
func f() (err error) {
	f, err := os.OpenFile(x, os.O_WRONLY, 0)
	defer func() { err = errors.Join(err, f.Close()) }()
	g, err := os.OpenFile(x, os.O_RDONLY|unix.O_NONBLOCK, 0)
	defer g.Close()
	h, err := os.Open(x)
	defer h.Close()
	return f.Close()
}
`, ""}},
}

// openedToWrite names the variables of a function that hold a file opened to be written.
func openedToWrite(body *ast.BlockStmt) map[string]bool {
	out := map[string]bool{}
	ast.Inspect(body, func(n ast.Node) bool {
		a, ok := n.(*ast.AssignStmt)
		if !ok || len(a.Rhs) != 1 {
			return true
		}
		call, ok := a.Rhs[0].(*ast.CallExpr)
		if !ok {
			return true
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		written := slices.Contains([]string{"Create", "CreateTemp"}, sel.Sel.Name) ||
			sel.Sel.Name == "OpenFile" && len(call.Args) == 3 && !selects(call.Args[1], "O_RDONLY")
		if x := asIdent(a.Lhs[0]); written && x != nil && x.Name != "_" {
			out[x.Name] = true
		}
		return true
	})
	return out
}

func selects(x ast.Expr, name string) bool {
	found := false
	ast.Inspect(x, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == name {
			found = true
		}
		return !found
	})
	return found
}

// unheard finds where one of the files is closed and nobody looks at the error.
func unheard(body *ast.BlockStmt, files map[string]bool) []ast.Node {
	var out []ast.Node
	closes := func(x ast.Expr) bool {
		call, ok := x.(*ast.CallExpr)
		if !ok {
			return false
		}
		sel, ok := call.Fun.(*ast.SelectorExpr)
		return ok && sel.Sel.Name == "Close" && files[identName(asIdent(sel.X))]
	}
	ast.Inspect(body, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.DeferStmt:
			if closes(n.Call) {
				out = append(out, n)
			}
		case *ast.ExprStmt:
			if closes(n.X) {
				out = append(out, n)
			}
		case *ast.AssignStmt:
			if len(n.Lhs) == 1 && len(n.Rhs) == 1 && identName(asIdent(n.Lhs[0])) == "_" && closes(n.Rhs[0]) {
				out = append(out, n)
			}
		}
		return true
	})
	return out
}
