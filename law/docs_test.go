package law

import (
	"go/ast"
	"go/token"
	"slices"
	"strings"
	"unicode"
)

var exportedDocsLaw = law{
	name: "every package and every exported name is documented",
	check: func(tr *tree) []breach {
		var out []breach
		packages := map[string]bool{} // folder → has a package comment
		first := map[string]*source{}
		for _, s := range tr.gos {
			if s.test {
				continue
			}
			packages[s.dir] = packages[s.dir] || s.ast.Doc != nil
			if first[s.dir] == nil {
				first[s.dir] = s
			}
			if s.ast.Name.Name != "main" {
				out = append(out, undocumented(tr, s)...)
			}
		}
		for dir, documented := range packages {
			if !documented {
				out = append(out, breach{first[dir].path, 1, "the package has no comment", "say in one paragraph what the package is for"})
			}
		}
		return out
	},
	broken: []example{
		{"a package", "-- git/a.go --\npackage git\n", "the package has no comment"},
		{"a function", "-- git/a.go --\n// Package git reads.\npackage git\n\nfunc Head() {}\n", "Head is not documented"},
		{"a method", "-- git/a.go --\n// Package git reads.\npackage git\n\n// R is.\ntype R int\n\nfunc (R) Head() {}\n", "Head is not documented"},
		{"a type", "-- git/a.go --\n// Package git reads.\npackage git\n\ntype R int\n", "R is not documented"},
		{"a constant", "-- git/a.go --\n// Package git reads.\npackage git\n\nconst Most = 1\n", "Most is not documented"},
		{"a method of an interface", "-- git/a.go --\n// Package git reads.\npackage git\n\n// R is.\ntype R interface {\n\tHead() string\n}\n", "Head is not documented"},
	},
	fine: []example{{"each kind documented, and what nobody outside sees", `-- git/a.go --
// Package git reads repositories.
package git

// The limits.
const (
	Most  = 1
	Least = 0
)

// R is a repository.
type R struct{ Path string }

// Head is the commit.
func (R) Head() {}

// Reader reads.
type Reader interface {
	Read() // all of it
	// Close ends it.
	Close()
}

// Walker walks. Next is the next step.
type Walker interface {
	Next() bool
}

type inner struct{}

func (inner) Read() {}
`, ""}},
}

// undocumented lists the exported declarations of a file that have no comment. A group
// of constants or variables may share one; a method of an interface may have its own at
// the end of the line, or be spoken of by name in the interface's.
func undocumented(tr *tree, s *source) []breach {
	var out []breach
	need := func(id *ast.Ident, docs ...*ast.CommentGroup) {
		if !id.IsExported() {
			return
		}
		for _, d := range docs {
			if d != nil {
				return
			}
		}
		out = append(out, breach{s.path, tr.line(id), id.Name + " is not documented", "say what it is, and where they apply: unit, range, zero value, errors by name, concurrency"})
	}
	for _, d := range s.ast.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || receiverExported(d.Recv.List[0].Type) {
				need(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, spec := range d.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					need(spec.Name, spec.Doc, spec.Comment, loneDoc(d))
					if i, ok := spec.Type.(*ast.InterfaceType); ok && spec.Name.IsExported() {
						for _, m := range i.Methods.List {
							for _, name := range m.Names {
								if doc := loneDoc(d); doc == nil || !names(doc.Text(), name.Name) {
									need(name, m.Doc, m.Comment)
								}
							}
						}
					}
				case *ast.ValueSpec:
					for _, name := range spec.Names {
						need(name, spec.Doc, spec.Comment, d.Doc)
					}
				}
			}
		}
	}
	return out
}

// loneDoc is the comment of a declaration that is not a group.
func loneDoc(d *ast.GenDecl) *ast.CommentGroup {
	if d.Tok == token.TYPE && !d.Lparen.IsValid() {
		return d.Doc
	}
	return nil
}

func receiverExported(t ast.Expr) bool {
	switch t := t.(type) {
	case *ast.StarExpr:
		return receiverExported(t.X)
	case *ast.IndexExpr:
		return receiverExported(t.X)
	case *ast.IndexListExpr:
		return receiverExported(t.X)
	case *ast.Ident:
		return t.IsExported()
	}
	return false
}

// names reports whether a comment speaks of a name.
func names(comment, name string) bool {
	return slices.Contains(strings.FieldsFunc(comment, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) }), name)
}
