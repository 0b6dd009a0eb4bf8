package ci

import (
	"slices"
	"strings"
	"testing"
	"time"
)

func popular(t testing.TB, text string) *Popular {
	t.Helper()
	p, err := ParsePopular([]byte(text))
	must(t, err)
	return p
}

func TestNamesThatLookLikePopularOnes(t *testing.T) {
	p := popular(t, "# names\nnpm lodash\nnpm react-dom\nnpm moment\nnpm is-odd\nnpm lodahs-es\nnpm vue\nPyPI requests\nnpm @babel/core\n")
	for _, c := range []struct{ name, like string }{
		{"lodash", ""}, {"LODASH", ""}, {"lodahs", "lodash"}, {"lodas", "lodash"}, {"lodashs", "lodash"}, {"1odash", "lodash"}, {"lоdash", "lodash"}, {"l0dash", "lodash"},
		{"reactdom", "react-dom"}, {"react_dom", "react-dom"}, {"rnoment", "moment"}, {"babel-core", "@babel/core"}, {"@babel/cores", "@babel/core"},
		{"requests", ""}, {"lodash-es", "lodahs-es"}, {"vuex", ""}, {"vue2", ""}, {"something", ""}, {"", ""}, {strings.Repeat("lodash", 1000), ""}, {"lodsha", ""},
	} {
		if got := p.imitated("npm", c.name); got != c.like {
			t.Errorf("%.40q looks like %q, want %q", c.name, got, c.like)
		}
	}
}

// Both ways of finding neighbours must agree: one that is missed is an imitation unseen.
func TestEveryNameOneEditAwayIsFound(t *testing.T) {
	p := popular(t, "npm express\n")
	name := "express"
	for i := range len(name) + 1 {
		for _, c := range "abcxyz-" {
			edits := []string{name[:i] + string(c) + name[i:]}
			if i < len(name) {
				edits = append(edits, name[:i]+name[i+1:], name[:i]+string(c)+name[i+1:])
			}
			if i+1 < len(name) {
				edits = append(edits, name[:i]+name[i+1:i+2]+name[i:i+1]+name[i+2:])
			}
			for _, e := range edits {
				if e != name && p.imitated("npm", e) != name {
					t.Errorf("%q is not found", e)
				}
			}
		}
	}
}

func TestTablesThatAreNone(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "npm\n", "npm a b\n", "npm \xff\n", "npm " + strings.Repeat("a", 101) + "\n"} {
		if _, err := ParsePopular([]byte(text)); err == nil {
			t.Errorf("%.30q is a list of names", text)
		}
	}
	for _, text := range []string{
		"", "product,cycle,eol\n", "python,3.8\n", "python,3.8,soon\n", "python,three,2024-10-07\n", ",3.8,2024-10-07\n", "python,3.8,true\n",
		"[]", `[{"product": "python", "cycle": "3.8", "eol": true}]`, `[{"product": "python"}]`, `[{"product": "python", "cycle": "3.8", "eol": "2024-10-07"}] x`, `[{`,
	} {
		if _, err := ParseEndOfLife([]byte(text)); err == nil {
			t.Errorf("%q is a table of ends of life", text)
		}
	}
	for _, text := range []string{"product,cycle,eol\npython,3.8,2024-10-07\npython,3.14,false\n", `[{"product": "python", "cycle": "3.8", "eol": "2024-10-07"}, {"product": "python", "cycle": "3.14", "eol": false}]`} {
		e, err := ParseEndOfLife([]byte(text))
		must(t, err)
		if e.Len() != 1 {
			t.Errorf("%q has %d ends", text, e.Len())
		}
	}
}

// noon is on 2026-11-20.
func TestRuntimesWithoutSupport(t *testing.T) {
	table, err := ParseEndOfLife([]byte("nodejs,18,2025-04-30\nnodejs,20,2027-01-15\nnodejs,22,2028-04-30\npython,3.8,2024-10-07\ngo,1.20,2024-02-06\n"))
	must(t, err)
	taking := Taking{EndOfLife: table, Popular: popular(t, "npm lodash\n")}
	for name, c := range map[string]struct {
		file, content string
		want          []string
	}{
		"a release that is over":             {".nvmrc", "v18.17.0\n", []string{"end-of-life:2025-05-01:nodejs:18:.nvmrc"}},
		"one that is over soon":              {".node-version", "20\n", []string{"end-of-life:2027-01-16:nodejs:20:.node-version"}},
		"one that is not over for long":      {".nvmrc", "22", nil},
		"one that the table does not have":   {".nvmrc", "19.1", nil},
		"a name that is no release":          {".nvmrc", "lts/*", nil},
		"several of Python":                  {"api/.python-version", "3.12.1\n3.8.10\n", []string{"end-of-life:2024-10-08:python:3.8:api/.python-version"}},
		"a go.mod says the least release":    {"go.mod", "module m\n\ngo 1.20\n", []string{"end-of-life-allowed:go:1.20:go.mod"}},
		"engines with one release":           {"package.json", `{"engines": {"node": "18.x"}}`, []string{"end-of-life:2025-05-01:nodejs:18:package.json"}},
		"engines with a least release":       {"package.json", `{"engines": {"node": ">=18"}}`, []string{"end-of-life-allowed:nodejs:18:package.json"}},
		"engines with a range of any other":  {"package.json", `{"engines": {"node": "18 || 20"}}`, nil},
		"test data":                          {"testdata/.nvmrc", "18", nil},
		"a package.json that cannot be read": {"package.json", `{"engines": {"node": "18"`, nil},
	} {
		var keys []string
		for _, h := range ran(t, folderOf(t, map[string]string{c.file: c.content}), Options{Now: noon, Taking: taking}).Reports[2].Hits {
			keys = append(keys, h.Key)
		}
		if name != "a package.json that cannot be read" && !slices.Equal(keys, c.want) {
			t.Errorf("%s: told %q, want %q", name, keys, c.want)
		}
	}
	dir, base := committed(t, map[string]string{".nvmrc": "18\n"})
	write(t, dir, "b/.nvmrc", "18\n")
	commitAll(t, dir)
	for _, h := range ran(t, dir, Options{Now: noon, Taking: taking, Base: base}).Reports[2].Hits {
		if h.Old != (h.Path == ".nvmrc") {
			t.Errorf("%s: old is %v", h.Key, h.Old)
		}
	}
}

func TestWithoutTablesItIsSaidAndBlocksNothing(t *testing.T) {
	files := map[string]string{"package-lock.json": npmLockOf(npmEntry("lodahs", "1.0.0", ""))}
	if keys, r := unsafeOf(t, files); !r.Complete || len(keys) > 0 || !told(r, "no list of popular names") || !told(r, "no table of ends of life") {
		t.Errorf("told %q: %+v", keys, r)
	}
	o := Options{Now: noon, Taking: Taking{Popular: popular(t, "npm lodash\n")}}
	r := ran(t, folderOf(t, files), o).Reports[2]
	if len(r.Hits) != 1 || r.Hits[0].Key != "name-like-a-popular-one:lodahs@1.0.0:package-lock.json" {
		t.Errorf("told %+v", r.Hits)
	}
	o.Taking.Internal = []string{"lodahs"}
	for _, h := range ran(t, folderOf(t, files), o).Reports[2].Hits {
		if h.Detector == nameNear {
			t.Errorf("an internal name: %+v", h)
		}
	}
}

// Tables are files of other people's.
func FuzzTables(f *testing.F) {
	for _, s := range []string{"npm lodash\n", "python,3.8,2024-10-07\n", `[{"product": "python", "cycle": "3.8", "eol": "2024-10-07"}]`, "npm \u0430\n", "a,b"} {
		f.Add([]byte(s), "lodahs")
	}
	f.Fuzz(func(t *testing.T, table []byte, name string) {
		if p, err := ParsePopular(table); err == nil {
			if like := p.imitated("npm", name); like == strings.ToLower(name) && like != "" {
				t.Errorf("%q imitates itself", name)
			}
		}
		if e, err := ParseEndOfLife(table); err == nil {
			if day, _ := e.end("python", name); day != "" {
				if _, err := time.Parse(time.DateOnly, day); err != nil {
					t.Errorf("%q is no day", day)
				}
			}
		}
	})
}
