package law

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"github.com/rogpeppe/go-internal/txtar"
)

// tree is a checkout: every text file, and the Go files of the main module parsed.
type tree struct {
	module string
	texts  map[string]string // slash path → content
	gos    []*source
	fset   *token.FileSet
}

// source is one Go file of the main module.
type source struct {
	path string // slash path from the root
	dir  string // "" for the root package
	test bool   // a _test.go file
	ast  *ast.File
}

// imports gives the paths of packages of this module that the file imports, without
// the module's name ("" is the root package), and the foreign ones.
func (s *source) imports(module string) (own, foreign []string) {
	for _, spec := range s.ast.Imports {
		p, err := strconv.Unquote(spec.Path.Value)
		switch {
		case err != nil:
		case p == module:
			own = append(own, "")
		case strings.HasPrefix(p, module+"/"):
			own = append(own, strings.TrimPrefix(p, module+"/"))
		default:
			foreign = append(foreign, p)
		}
	}
	return own, foreign
}

// importName is the name under which the file knows a package, or "" when it does not
// import it.
func (s *source) importName(pkg string) string {
	for _, spec := range s.ast.Imports {
		if p, err := strconv.Unquote(spec.Path.Value); err != nil || p != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

func (tr *tree) line(n ast.Node) int { return tr.fset.Position(n.Pos()).Line }

// product lists the Go files that are neither tests, nor suites, nor of the outside.
func (tr *tree) product() []*source {
	var out []*source
	for _, s := range tr.gos {
		if !s.test && !suite(s.dir) && !outside(s.dir) {
			out = append(out, s)
		}
	}
	return out
}

const (
	largestText = 4 << 20
	moduleName  = "verdict"
)

var (
	projectOnce  sync.Once
	projectFound *tree
	projectErr   error
)

// projectTree reads the checkout that this package stands in, once.
func projectTree(t *testing.T) *tree {
	t.Helper()
	projectOnce.Do(func() { projectFound, projectErr = readTree(os.DirFS("..")) })
	if projectErr != nil {
		t.Fatal(projectErr)
	}
	return projectFound
}

// exampleTree reads a tree in txtar form.
func exampleTree(t *testing.T, x example) *tree {
	t.Helper()
	fsys := fstest.MapFS{}
	for _, f := range txtar.Parse([]byte(x.files)).Files {
		fsys[f.Name] = &fstest.MapFile{Data: f.Data, Mode: 0o644}
	}
	tr, err := readTree(fsys)
	if err != nil {
		t.Fatalf("%s: %v", x.name, err)
	}
	if len(tr.texts) == 0 {
		t.Fatalf("%s: an empty tree shows nothing", x.name)
	}
	return tr
}

func readTree(fsys fs.FS) (*tree, error) {
	tr := &tree{module: moduleName, texts: map[string]string{}, fset: token.NewFileSet()}
	nested := map[string]bool{} // folders that are modules of their own
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if p == ".git" || p == "bin" || d.Name() == "node_modules" {
				return fs.SkipDir
			}
			if _, err := fs.Stat(fsys, path.Join(p, "go.mod")); err == nil && p != "." {
				nested[p] = true
			}
			return nil
		}
		info, err := d.Info()
		if err != nil || !info.Mode().IsRegular() || info.Size() > largestText || !isText(p) {
			return err
		}
		data, err := fs.ReadFile(fsys, p)
		if err != nil {
			return err
		}
		tr.texts[p] = string(data)
		if path.Ext(p) != ".go" || within(nested, p) || strings.Contains(p, "testdata/") || strings.HasPrefix(p, "examples/") {
			return nil
		}
		f, err := parser.ParseFile(tr.fset, p, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		tr.gos = append(tr.gos, &source{path: p, dir: dirOf(p), test: strings.HasSuffix(p, "_test.go"), ast: f})
		return nil
	})
	return tr, err
}

var textExt = map[string]bool{
	".go": true, ".md": true, ".rego": true, ".sql": true, ".sh": true, ".yaml": true, ".yml": true, ".json": true,
	".txt": true, ".service": true, ".txtar": true, ".mod": true, ".toml": true, ".xml": true, ".lock": true, ".svg": true,
	".html": true, ".css": true, ".ts": true, ".js": true, "": true,
}

func isText(p string) bool { return textExt[path.Ext(p)] || path.Base(p) == ".gitignore" }

func within(folders map[string]bool, p string) bool {
	for d := path.Dir(p); d != "."; d = path.Dir(d) {
		if folders[d] {
			return true
		}
	}
	return false
}

func dirOf(p string) string {
	if d := path.Dir(p); d != "." {
		return d
	}
	return ""
}

// checkout is the project's root folder.
func checkout(t *testing.T) string {
	t.Helper()
	root, err := filepath.Abs("..")
	if err != nil {
		t.Fatal(err)
	}
	return root
}
