// Package reachability tells whether a tree imports the packages of a Go module that an
// advisory is about. It reads what the files of the tree import, and what go mod vendor
// put beside them; it runs nothing. What a module imports whose source is not in the tree
// nobody can tell from the tree, so that is not told, and never taken for "no".
package reachability

import (
	"cmp"
	"fmt"
	"go/parser"
	"go/token"
	"path"
	"slices"
	"strconv"
	"strings"

	"verdict"
)

// maxImports bounds how many imports of how many folders are kept.
const maxImports = 500_000

// place is a file that imports a package.
type place struct {
	path string
	line int64
}

// Imports gathers what the Go files of a tree import. The zero value has read nothing.
// Files are added one at a time, in any order.
type Imports struct {
	folders map[string]map[string]place // folder → package → where it is imported first
	files   map[string]string           // folder → its first Go file
	modules map[string]bool             // folders with a go.mod
	vendors map[string]bool             // folders that go mod vendor filled
	kept    int
	// open is why not all imports are known; "" when they are.
	open string
}

// Wants reports whether a file says something of imports, by its path.
func Wants(p string) bool {
	base := path.Base(p)
	return base == "go.mod" || path.Ext(p) == ".go" && !ignored(p) || vendorList(p)
}

// vendorList reports whether a file is the one in which go mod vendor says what it did.
func vendorList(p string) bool { return strings.HasSuffix("/"+p, "/vendor/modules.txt") }

// ignored reports whether the go command passes a file over, wherever it is.
func ignored(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == "testdata" || strings.HasPrefix(part, "_") || strings.HasPrefix(part, ".") {
			return true
		}
	}
	return false
}

// Open says why something that matters was not read: then nothing is told not to be
// imported.
func (i *Imports) Open(why string) {
	if i.open == "" {
		i.open = why
	}
}

// Source is what one file says.
type Source struct {
	path    string
	imports map[string]int64 // package → line
	wrong   bool             // it is no Go that can be read to the end of its imports
}

// Read reads a file that Wants named.
func Read(p string, content []byte) Source {
	s := Source{path: p, imports: map[string]int64{}}
	if path.Ext(p) != ".go" {
		return s
	}
	set := token.NewFileSet()
	f, err := parser.ParseFile(set, p, content, parser.ImportsOnly|parser.SkipObjectResolution)
	s.wrong = err != nil
	if f == nil {
		return s
	}
	for _, spec := range f.Imports {
		name, err := strconv.Unquote(spec.Path.Value)
		if _, twice := s.imports[name]; err == nil && !twice {
			s.imports[name] = int64(set.PositionFor(spec.Pos(), false).Line) // a //line comment says where else it may be from
		}
	}
	return s
}

// Add takes in what one file says.
func (i *Imports) Add(s Source) {
	if i.folders == nil {
		i.folders, i.files, i.modules, i.vendors = map[string]map[string]place{}, map[string]string{}, map[string]bool{}, map[string]bool{}
	}
	dir := path.Dir(s.path)
	switch {
	case vendorList(s.path):
		i.vendors[dir] = true
		return
	case path.Base(s.path) == "go.mod":
		i.modules[dir] = true
		return
	}
	if s.wrong {
		i.Open(s.path + " is no Go that can be read")
	}
	if first, there := i.files[dir]; !there || s.path < first {
		i.files[dir] = s.path
	}
	for name, line := range s.imports {
		i.keep(dir, name, place{s.path, line})
	}
}

func (i *Imports) keep(dir, name string, at place) {
	if i.folders[dir] == nil {
		i.folders[dir] = map[string]place{}
	}
	old, there := i.folders[dir][name]
	if !there {
		if i.kept++; i.kept > maxImports {
			i.Open(fmt.Sprintf("there are more than %d imports", maxImports))
			return
		}
	}
	if !there || before(at, old) {
		i.folders[dir][name] = at
	}
}

// before orders places: what is built before what only tests, then by path and line.
func before(a, b place) bool {
	if x, y := strings.HasSuffix(a.path, "_test.go"), strings.HasSuffix(b.path, "_test.go"); x != y {
		return y
	}
	return a.path < b.path || a.path == b.path && a.line < b.line
}

// Of says whether the modules whose go.mod files these are import one of the affected
// packages of a module that they require.
func (i *Imports) Of(gomods []string, module string, packages []string) *verdict.Reach {
	if len(packages) == 0 {
		return unknown("the advisory does not say which packages are affected")
	}
	roots := []string{}
	for _, p := range gomods {
		roots = append(roots, path.Dir(p))
	}
	if found := i.imported(roots, packages); found != nil {
		return found
	}
	switch {
	case i.open != "":
		return unknown("no file that was read imports it, and " + i.open)
	case module == "stdlib":
		return unknown("no file of the module itself imports it; the standard library and other modules may")
	}
	for _, root := range roots {
		if !i.vendors[path.Join(root, "vendor")] {
			return unknown("no file of the module itself imports it; what the modules import that it requires is in their source, which is not in the tree")
		}
	}
	return &verdict.Reach{Imported: verdict.ReachNo, Why: "go mod vendor took none of the affected packages"}
}

func unknown(why string) *verdict.Reach {
	return &verdict.Reach{Imported: verdict.ReachUnknown, Why: why}
}

// imported looks for an import in a module's own files, then for what it vendors.
func (i *Imports) imported(roots, packages []string) *verdict.Reach {
	var own, others *verdict.Reach
	for dir, imports := range i.folders {
		root, vendored := i.moduleOf(dir)
		if !slices.Contains(roots, root) {
			continue
		}
		best := &own
		if vendored {
			best = &others
		}
		for _, p := range packages {
			at, there := imports[p]
			if there && (*best == nil || before(at, place{(*best).Path, (*best).Line})) {
				*best = &verdict.Reach{Imported: verdict.ReachYes, Package: p, Path: at.path, Line: at.line}
			}
		}
	}
	if own != nil {
		return own
	}
	return cmp.Or(i.vendored(roots, packages), others)
}

// vendored looks for a package among what go mod vendor took: it takes what is imported,
// over any number of steps.
func (i *Imports) vendored(roots, packages []string) *verdict.Reach {
	for _, root := range slices.Sorted(slices.Values(roots)) {
		dir := path.Join(root, "vendor")
		for _, p := range packages {
			if file, there := i.files[path.Join(dir, p)]; there && i.vendors[dir] {
				return &verdict.Reach{Imported: verdict.ReachYes, Package: p, Path: file}
			}
		}
	}
	return nil
}

// moduleOf is the folder of the go.mod that a folder belongs to.
func (i *Imports) moduleOf(dir string) (root string, vendored bool) {
	for at := dir; ; at = path.Dir(at) {
		if path.Base(at) == "vendor" && i.vendors[at] {
			return path.Dir(at), true
		}
		if i.modules[at] {
			return at, false
		}
		if at == "." || at == "/" {
			return "", false
		}
	}
}
