package code

import (
	"strings"
	"testing"
	"time"
)

// A pattern that matches too little leaves a path unowned; one that matches too much
// gives it to a team that knows nothing of it.
func TestPatternsMatchAsEachForgeDocuments(t *testing.T) {
	for _, c := range []struct {
		name, form, pattern string
		yes, no             []string
	}{
		{"a star alone is everything", formGitHub, "*", []string{"a", "a/b/c.go", ".github/x"}, nil},
		{"an extension counts in every folder", formGitHub, "*.js", []string{"a.js", "x/y/b.js"}, []string{"a.jsx", "js"}},
		{"a folder with a slash at its end counts anywhere", formGitHub, "apps/", []string{"apps/a", "x/apps/y/z"}, []string{"apps", "myapps/a"}},
		{"a rooted folder counts at the top alone", formGitHub, "/docs/", []string{"docs/a", "docs/b/c"}, []string{"x/docs/a", "docs"}},
		{"a slash in the middle roots the pattern", formGitHub, "build/logs", []string{"build/logs", "build/logs/a"}, []string{"x/build/logs"}},
		{"a star behind a folder is what lies directly in it", formGitHub, "docs/*", []string{"docs/a.md"}, []string{"docs/build/a.md", "x/docs/a.md"}},
		{"two stars behind a folder are all that it holds", formGitHub, "/docs/**", []string{"docs/a", "docs/b/c"}, []string{"docs", "x/docs/a"}},
		{"two stars in front are any folder", formGitHub, "**/logs", []string{"logs/a", "x/logs/b", "x/y/logs"}, []string{"logsx"}},
		{"two stars in the middle are any number of folders, also none", formGitHub, "/a/**/z.go", []string{"a/z.go", "a/b/c/z.go"}, []string{"z.go", "b/a/z.go"}},
		{"a name without a slash is a file or a folder anywhere", formGitHub, "Makefile", []string{"Makefile", "x/Makefile", "Makefile/a"}, []string{"Makefile.in"}},
		{"case counts", formGitHub, "/Docs/", []string{"Docs/a"}, []string{"docs/a"}},
		{"a space is written with a backslash", formGitHub, `/my\ docs/`, []string{"my docs/a"}, []string{"my"}},
		{"a question mark is one letter, not a slash", formGitHub, "/a?c", []string{"abc", "aéc"}, []string{"a/c", "ac"}},
		{"the slash alone is everything", formGitHub, "/", []string{"a", "a/b"}, nil},

		{"gitlab: a star alone is everything", formGitLab, "*", []string{"a", "x/.y"}, nil},
		{"gitlab: a name without a slash is a file anywhere, and no folder", formGitLab, "docs", []string{"docs", "x/docs"}, []string{"docs/a"}},
		{"gitlab: a folder counts anywhere unless it is rooted", formGitLab, "lib/", []string{"lib/a", "x/lib/a/b"}, []string{"lib"}},
		{"gitlab: a slash in the middle does not root the pattern", formGitLab, "ee/docs/*", []string{"ee/docs/a", "x/ee/docs/a"}, []string{"ee/docs/a/b"}},
		{"gitlab: a rooted folder counts at the top alone", formGitLab, "/config/", []string{"config/a"}, []string{"x/config/a"}},
		{"gitlab: two stars are any number of folders", formGitLab, "/docs/**/*.md", []string{"docs/a.md", "docs/b/c.md"}, []string{"a.md"}},
		{"gitlab: two stars at the end are one name", formGitLab, "/docs/**", []string{"docs/a"}, []string{"docs/a/b"}},
		{"gitlab: a set is a set", formGitLab, "/[a-c].txt", []string{"a.txt", "c.txt"}, []string{"d.txt", "[a-c].txt"}},
		{"gitlab: a set may be turned round", formGitLab, "/[!a-c].txt", []string{"d.txt"}, []string{"a.txt"}},
		{"gitlab: a hash is written with a backslash", formGitLab, `\#readme`, []string{"#readme"}, []string{"readme"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compile := githubPattern
			if c.form == formGitLab {
				compile = gitlabPattern
			}
			p, ok := compile(c.pattern)
			if !ok {
				t.Fatalf("%q is no pattern", c.pattern)
			}
			for _, path := range c.yes {
				if !p.matches(path) {
					t.Errorf("%q does not match %q", c.pattern, path)
				}
			}
			for _, path := range c.no {
				if p.matches(path) {
					t.Errorf("%q matches %q", c.pattern, path)
				}
			}
		})
	}
}

func TestWhatGitHubSkipsIsNoPattern(t *testing.T) {
	for _, text := range []string{"!docs/", "[a-z].go", `\#x`, "a//b"} {
		if _, ok := githubPattern(text); ok {
			t.Errorf("%q is taken as a pattern", text)
		}
	}
}

func TestAFolderIsItsName(t *testing.T) {
	p := folderPattern("a/[b]*")
	if !p.matches("a/[b]*/c") || p.matches("a/bx/c") || p.matches("x/a/[b]*/c") {
		t.Error("a folder of the map was taken as a pattern")
	}
}

func TestAHostilePatternEndsSoon(t *testing.T) {
	began := time.Now()
	glob, _ := githubPattern("/" + strings.Repeat("*a", 2000) + "b")
	deep, _ := githubPattern(strings.Repeat("**/a/", 500) + "b")
	if glob.matches(strings.Repeat("a", 4000)) || deep.matches(strings.Repeat("a/", 1000)+"c") {
		t.Error("matched")
	}
	if took := time.Since(began); took > 5*time.Second {
		t.Errorf("took %s", took)
	}
}

// Whatever the file says: no panic, a line per rule, and a rule that matches its path.
func FuzzOwners(f *testing.F) {
	f.Add("* @a\n/docs/ @acme/docs # words\n!x\n", "docs/a")
	f.Add("[Docs][2] @a\n*.md\n^[Opt]\n\\#x @b\n!docs/\n", "docs/a.md")
	f.Add("a\\ b @c\n[[a-\n*\\", "a b")
	f.Fuzz(func(t *testing.T, content, path string) {
		for _, form := range []string{"", formGitHub, formGitLab} {
			s := parseOwners("CODEOWNERS", form, []byte(content))
			lines := int64(strings.Count(content, "\n") + 1)
			for _, r := range s.of(path) {
				if r.line < 1 || r.line > lines || !r.matches(path) || r.excludes {
					t.Errorf("rule %q of line %d counts for %q", r.text, r.line, path)
				}
			}
			if len(s.faults) > maxFaults+1 {
				t.Errorf("%d faults", len(s.faults))
			}
		}
	})
}

// FuzzCatalog holds that nothing but a folder inside the repository is ever owned.
func FuzzCatalog(f *testing.F) {
	f.Add("kind: Component\nmetadata: {name: a}\nspec: {owner: payments}\n")
	f.Add("kind: API\nmetadata: {name: a, annotations: {backstage.io/source-location: 'url:https://github.com/acme/x/tree/main/../..'}}\nspec: {owner: a}\n---\n*x")
	f.Fuzz(func(t *testing.T, content string) {
		for _, r := range parseCatalog("a/catalog-info.yaml", "https://github.com/acme/x", []byte(content)).rules {
			if len(r.owners) != 1 || r.owners[0] == "" || strings.HasPrefix(r.text, "..") || r.line < 1 {
				t.Errorf("rule %+v", r)
			}
		}
	})
}
