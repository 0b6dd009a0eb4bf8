package reachability

import (
	"fmt"
	"strings"
	"testing"

	"verdict"
)

// tree is files by path; "" as content of a Go file is a package without imports.
func tree(files map[string]string) *Imports {
	i := &Imports{}
	for p, content := range files {
		if Wants(p) {
			if content == "" {
				content = "package x\n"
			}
			i.Add(Read(p, []byte(content)))
		}
	}
	return i
}

const importsHTTP2 = "package main\n\nimport (\n\t\"fmt\"\n\t_ \"golang.org/x/net/http2\"\n)\n"

// "no" where it is "yes" has somebody look last at what is used first; "no" where nobody
// knows is worse, because it looks as if somebody had looked.
func TestWhatIsImportedIsToldAsFarAsTheTreeTells(t *testing.T) {
	for name, tc := range map[string]struct {
		files map[string]string
		root  string
		want  string
	}{
		"a file of the module imports it":                 {map[string]string{"go.mod": "", "cmd/main.go": importsHTTP2}, "go.mod", "yes golang.org/x/net/http2 cmd/main.go:5"},
		"what is built is told before what tests":         {map[string]string{"go.mod": "", "a/a_test.go": importsHTTP2, "b/b.go": importsHTTP2}, "go.mod", "yes golang.org/x/net/http2 b/b.go:5"},
		"a test alone imports it":                         {map[string]string{"go.mod": "", "a/a_test.go": importsHTTP2}, "go.mod", "yes golang.org/x/net/http2 a/a_test.go:5"},
		"nobody imports it, and modules are not there":    {map[string]string{"go.mod": "", "main.go": ""}, "go.mod", "unknown"},
		"another module of the tree imports it":           {map[string]string{"a/go.mod": "", "b/go.mod": "", "b/main.go": importsHTTP2, "a/main.go": ""}, "a/go.mod", "unknown"},
		"a folder that the go command passes over":        {map[string]string{"go.mod": "", "testdata/main.go": importsHTTP2, "_old/main.go": importsHTTP2}, "go.mod", "unknown"},
		"vendoring took it, for another module":           {map[string]string{"go.mod": "", "main.go": "", "vendor/modules.txt": "", "vendor/golang.org/x/net/http2/h.go": ""}, "go.mod", "yes golang.org/x/net/http2 vendor/golang.org/x/net/http2/h.go:0"},
		"vendoring took none of it":                       {map[string]string{"go.mod": "", "main.go": "", "vendor/modules.txt": "", "vendor/golang.org/x/net/html/h.go": ""}, "go.mod", "no"},
		"what is vendored imports it":                     {map[string]string{"go.mod": "", "vendor/modules.txt": "", "vendor/x/x.go": importsHTTP2}, "go.mod", "yes golang.org/x/net/http2 vendor/x/x.go:5"},
		"a folder called vendor that nobody filled":       {map[string]string{"go.mod": "", "main.go": "", "vendor/main.go": ""}, "go.mod", "unknown"},
		"vendored, and a file that cannot be read":        {map[string]string{"go.mod": "", "main.go": "package (", "vendor/modules.txt": ""}, "go.mod", "unknown"},
		"an import before what cannot be read":            {map[string]string{"go.mod": "", "main.go": importsHTTP2 + "func ("}, "go.mod", "yes golang.org/x/net/http2 main.go:5"},
		"a comment that says that the line is elsewhere":  {map[string]string{"go.mod": "", "main.go": "//line evil.go:900\n" + importsHTTP2}, "go.mod", "yes golang.org/x/net/http2 main.go:6"},
		"a package of the same name with more behind it":  {map[string]string{"go.mod": "", "main.go": strings.Replace(importsHTTP2, "http2", "http2/h2c", 1)}, "go.mod", "unknown"},
		"one of two modules that require it is not known": {map[string]string{"go.mod": "", "vendor/modules.txt": "", "b/go.mod": ""}, "go.mod b/go.mod", "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			r := tree(tc.files).Of(strings.Fields(tc.root), "golang.org/x/net", []string{"golang.org/x/net/http2"})
			got := r.Imported
			if r.Imported == verdict.ReachYes {
				got = fmt.Sprintf("yes %s %s:%d", r.Package, r.Path, r.Line)
			} else if r.Why == "" {
				t.Error("nothing says why")
			}
			if got != tc.want {
				t.Errorf("got %s (%s), want %s", got, r.Why, tc.want)
			}
		})
	}
}

func TestWhatNobodyCanTellIsNotTold(t *testing.T) {
	vendored := tree(map[string]string{"go.mod": "", "main.go": "", "vendor/modules.txt": ""})
	for name, r := range map[string]*verdict.Reach{
		"an advisory that names no packages": vendored.Of([]string{"go.mod"}, "golang.org/x/net", nil),
		"the standard library":               vendored.Of([]string{"go.mod"}, "stdlib", []string{"crypto/tls"}),
		"a tree of which nothing was read":   (&Imports{}).Of([]string{"go.mod"}, "golang.org/x/net", []string{"golang.org/x/net/http2"}),
	} {
		if r.Imported != verdict.ReachUnknown || r.Why == "" {
			t.Errorf("%s: %+v", name, r)
		}
	}
	vendored.Open("a file could not be read")
	if r := vendored.Of([]string{"go.mod"}, "golang.org/x/net", []string{"golang.org/x/net/http2"}); r.Imported != verdict.ReachUnknown {
		t.Errorf("what was not read is taken for empty: %+v", r)
	}
}

func TestManyImportsHaveAnEnd(t *testing.T) {
	i := &Imports{}
	for n := range 60 {
		var b strings.Builder
		b.WriteString("package x\nimport (\n")
		for k := range 10_000 {
			fmt.Fprintf(&b, "\t\"p/%d\"\n", k)
		}
		b.WriteString(")\n")
		i.Add(Read(fmt.Sprintf("d%d/x.go", n), []byte(b.String())))
	}
	if i.kept > maxImports+60*10_000 || i.open == "" {
		t.Errorf("%d imports are kept, and nobody is told", i.kept)
	}
	held := 0
	for _, f := range i.folders {
		held += len(f)
	}
	if held > maxImports {
		t.Errorf("%d imports are held, more than %d", held, maxImports)
	}
}

func FuzzImports(f *testing.F) {
	f.Add([]byte(importsHTTP2))
	f.Add([]byte("package x\nimport \"a\\x00b\"\nimport ("))
	f.Fuzz(func(t *testing.T, content []byte) {
		i := tree(map[string]string{"go.mod": "", "main.go": string(content)})
		r := i.Of([]string{"go.mod"}, "a", []string{"a", "a/b"})
		if r.Imported == verdict.ReachNo {
			t.Fatalf("told not to be imported where modules are not in the tree: %+v", r)
		}
	})
}
