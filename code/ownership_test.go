package code

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/decisionmap"
)

const people = `schema: verdict/v1
people:
  alma: {teams: [payments, leads], accounts: {git: alma@acme.example, github: alma-r}}
  jonas: {teams: [payments], accounts: {git: [jonas@acme.example], github: jbrandt}}
  noor: {teams: [platform], accounts: {github: noorh}}
`

// owned says in words what is known of one path.
func owned(o verdict.Ownership, path string) string {
	for _, g := range o.Groups {
		if !slices.Contains(g.Paths, path) {
			continue
		}
		var words []string
		for _, c := range g.Claims {
			file, _, _ := strings.Cut(c.File, " at ")
			words = append(words, fmt.Sprintf("%s:%d %s", file, c.Line, strings.Join(c.Owners, "+")))
		}
		out := strings.Join(words, ", ")
		if g.Unowned() {
			out = strings.TrimSpace("nobody " + out)
		}
		if g.Conflict {
			out = "conflict " + out
		}
		for _, c := range g.Brought {
			out += fmt.Sprintf(" brought %s:%d %s", c.File, c.Line, strings.Join(c.Owners, "+"))
		}
		return strings.TrimSpace(out)
	}
	return "not told"
}

func TestLinesOfCODEOWNERSCountAsTheForgeReadsThem(t *testing.T) {
	for _, c := range []struct {
		name, form, file, path, want string
	}{
		{"the last line that matches wins", formGitHub, "* @a\n/docs/ @b\n*.md @c\n", "docs/x.md", "3 @c"},
		{"words behind a hash are no owners", formGitHub, "* @a # @b\n", "x", "1 @a"},
		{"a line without owners takes them away", formGitHub, "* @a\n/gen/\n", "gen/x", "2 "},
		{"a line with a word that is no owner is skipped, and an earlier one stands", formGitHub, "* @a\n/docs/ nobody @b\n", "docs/x", "1 @a"},
		{"a line with ! is skipped", formGitHub, "* @a\n!x @b\n", "x", "1 @a"},
		{"an address is an owner", formGitHub, "* docs@acme.example\n", "x", "1 docs@acme.example"},
		{"a byte order mark is no part of the first pattern", formGitHub, "\uFEFF/x @a\n", "x", "1 @a"},
		{"line ends of Windows are no part of an owner", formGitHub, "/x @a\r\n", "x", "1 @a"},

		{"a section's default stands for a line without owners", formGitLab, "[Docs] @d\n*.md\n*.rb @r\n", "a.md", "2 @d"},
		{"a line's own owners replace the default", formGitLab, "[Docs] @d\n*.md\n*.rb @r\n", "a.rb", "3 @r"},
		{"each section speaks", formGitLab, "* @all\n[Docs]\n*.md @d\n", "a.md", "1 @all; 3 @d"},
		{"an optional section with a count speaks too", formGitLab, "^[Docs][2] @d\n*.md\n", "a.md", "2 @d"},
		{"sections of one name are one, whatever the case", formGitLab, "[Docs]\n*.md @d\n[Code]\n*.go @c\n[docs]\n/a.md @e\n", "a.md", "6 @e"},
		{"what a section excludes it does not take back", formGitLab, "[Docs]\n!/a.md\n*.md @d\n/a.md @e\n", "a.md", ""},
		{"an exclusion is that of its section alone", formGitLab, "* @all\n[Docs]\n!/a.md\n*.md @d\n", "a.md", "1 @all"},
		{"a role is an owner", formGitLab, "/c/ @@maintainer\n", "c/x", "1 @@maintainer"},
		{"a word that is no owner is passed over", formGitLab, "/c/ nobody @a\n", "c/x", "1 @a"},
		{"a heading tells GitLab's form", "", "[Docs] @d\n*.md\n", "a.md", "2 @d"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := parseOwners("CODEOWNERS", c.form, []byte(c.file))
			var got []string
			for _, r := range s.of(c.path) {
				got = append(got, fmt.Sprintf("%d %s", r.line, strings.Join(r.owners, " ")))
			}
			if strings.Join(got, "; ") != c.want {
				t.Errorf("got %q, want %q; faults %v", strings.Join(got, "; "), c.want, s.faults)
			}
		})
	}
}

func TestOwnersComeFromTheFilesOfTheBase(t *testing.T) {
	for _, c := range []struct {
		name, judging string
		base, change  map[string]string
		path, want    string
	}{
		{"a service of the map owns its folder", people + "services: {cart: {team: payments, paths: cart}}\n", nil, nil, "cart/a.go", "verdict.yaml:6 payments"},
		{"the deepest folder of the map wins", people + "services: {all: {team: payments}, cart: {team: platform, paths: cart}}\n", nil, nil, "cart/a.go", "verdict.yaml:6 platform"},
		{"a service of another repository owns nothing here", people + "services: {cart: {team: payments, repo: 'https://github.com/acme/cart'}}\n", nil, nil, "a.go", "nobody"},
		{"a service of this repository does, whatever way its address is written", people + "services: {cart: {team: payments, repo: 'git@github.com:acme/shop'}}\n", nil, nil, "a.go", "verdict.yaml:6 payments"},
		{"a person stands with the id, not the login", people, map[string]string{"CODEOWNERS": "* @alma-r @stranger\n"}, nil, "a.go", "CODEOWNERS:1 alma+@stranger"},
		{"what the change says of itself does not count, and is told", people, nil, map[string]string{"CODEOWNERS": "* @alma-r\n"}, "CODEOWNERS", "nobody brought CODEOWNERS:1 alma"},
		{"a CODEOWNERS that the change weakens counts as it was", people, map[string]string{"CODEOWNERS": "* @acme/platform\n"}, map[string]string{"CODEOWNERS": "* @alma-r\n"}, "CODEOWNERS", "CODEOWNERS:1 @acme/platform"},
		{"GitHub's folder comes first", people, map[string]string{"CODEOWNERS": "* @acme/a\n", ".github/CODEOWNERS": "* @acme/b\n"}, nil, "a.go", ".github/CODEOWNERS:1 @acme/b"},
		{"map and CODEOWNERS that name one team agree", people + "services: {cart: {team: payments}}\n", map[string]string{"CODEOWNERS": "* @acme/payments\n"}, nil, "a.go", "verdict.yaml:6 payments, CODEOWNERS:1 @acme/payments"},
		{"a person of the team agrees with it", people + "services: {cart: {team: payments}}\n", map[string]string{"CODEOWNERS": "* @jbrandt\n"}, nil, "a.go", "verdict.yaml:6 payments, CODEOWNERS:1 jonas"},
		{"two teams are a conflict", people + "services: {cart: {team: payments}}\n", map[string]string{"CODEOWNERS": "* @acme/platform\n"}, nil, "a.go", "conflict verdict.yaml:6 payments, CODEOWNERS:1 @acme/platform"},
		{"two services of one folder are a conflict", people + "services: {cart: {team: payments}, shop: {team: platform}}\n", nil, nil, "a.go", "conflict verdict.yaml:6 payments, verdict.yaml:6 platform"},
		{"a catalog file owns its folder", people, map[string]string{"cart/catalog-info.yaml": "kind: Component\nmetadata: {name: cart}\nspec:\n  owner: payments\n"}, nil, "cart/a.go", "cart/catalog-info.yaml:4 group:default/payments"},
		{"and no other", people, map[string]string{"cart/catalog-info.yaml": "kind: Component\nmetadata: {name: cart}\nspec: {owner: payments}\n"}, nil, "a.go", "nobody"},
		{"a source-location names another folder", people, map[string]string{"catalog-info.yaml": "kind: Component\nmetadata: {name: x, annotations: {backstage.io/source-location: 'url:https://github.com/acme/shop/tree/main/cart/'}}\nspec: {owner: 'user:default/noor'}\n"}, nil, "cart/a.go", "catalog-info.yaml:3 noor"},
		{"a source-location of another repository owns nothing here", people, map[string]string{"catalog-info.yaml": "kind: Component\nmetadata: {name: x, annotations: {backstage.io/source-location: 'url:https://github.com/acme/other/tree/main/cart/'}}\nspec: {owner: payments}\n"}, nil, "cart/a.go", "nobody"},
		{"several documents are several entities", people, map[string]string{"catalog-info.yaml": "kind: System\nmetadata: {name: s}\nspec: {owner: platform}\n---\nkind: Component\nmetadata: {name: x}\nspec: {owner: payments}\n"}, nil, "a.go", "catalog-info.yaml:7 group:default/payments"},
		{"a file with anchors owns nothing", people, map[string]string{"catalog-info.yaml": "kind: Component\nmetadata: {name: &n x}\nspec: {owner: payments}\n"}, nil, "a.go", "nobody"},
		{"a file that breaks off owns nothing", people, map[string]string{"catalog-info.yaml": "kind: Component\nmetadata: {name: x}\nspec: {owner: payments}\n---\nkind: [\n"}, nil, "a.go", "nobody"},
		{"a file that is too large owns nothing, as on the forge", people, map[string]string{"CODEOWNERS": "* @alma-r\n" + strings.Repeat("#\n", maxOwnership/2)}, nil, "a.go", "nobody"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newRepo(t)
			base := s.commit(c.base)
			head := s.commit(c.change)
			o, err := Owners(t.Context(), s.asked(base, head, c.judging), []string{c.path})
			must(t, err)
			if got := owned(o, c.path); got != c.want {
				t.Errorf("got  %q\nwant %q\nsources %+v", got, c.want, o.Sources)
			}
		})
	}
}

// reorder puts the schema first, as a file has it.
func reorder(text string) string {
	if rest, ok := strings.CutPrefix(text, "organization: acme\n"); ok {
		return strings.Replace(rest, "schema: verdict/v1\n", "schema: verdict/v1\norganization: acme\n", 1)
	}
	return text
}

func TestAMapOfSeveralServicesWithoutAddressesIsNotGuessed(t *testing.T) {
	s := newRepo(t)
	base := s.commit(nil)
	q := s.asked(base, base, reorder("organization: acme\n"+people+"services: {shop: {team: payments}, cart: {team: platform}}\n"))
	// The same map, released by the organisation: its lines were said elsewhere.
	released := declaredFrom(t, q, "released map")
	if len(released.rules) != 0 || len(released.faults) != 2 {
		t.Errorf("rules %+v, faults %v", released.rules, released.faults)
	}
}

func TestAFirstCommitIsOwnedByNobodyYet(t *testing.T) {
	s := newRepo(t)
	head := s.commit(map[string]string{"CODEOWNERS": "* @alma-r\n"})
	o, err := Owners(t.Context(), s.asked("", head, people), []string{"CODEOWNERS"})
	must(t, err)
	if got := owned(o, "CODEOWNERS"); got != "nobody brought CODEOWNERS:1 alma" {
		t.Errorf("got %q", got)
	}
}

func TestACloneWithoutTheFileSaysSo(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"CODEOWNERS": "* @alma-r\n", "a.go": "x"})
	head := s.commit(map[string]string{"a.go": "y"})
	s.git("config", "uploadpack.allowFilter", "true")
	bare := s.dir + "-partial"
	s.git("clone", "-q", "--filter=blob:none", "--no-checkout", "file://"+s.dir, bare)
	s.dir = bare
	o, err := Owners(t.Context(), s.asked(base, head, people), []string{"a.go"})
	must(t, err)
	if o.State != verdict.StateMissing || !strings.Contains(o.Why, "does not hold") || !strings.Contains(o.Remedy, "git fetch --refetch") || len(o.Groups) != 0 {
		t.Errorf("%+v", o)
	}
}

func TestProtectedPathsAreThoseThatSayWhoDecides(t *testing.T) {
	for path, want := range map[string]bool{
		"CODEOWNERS": true, ".github/CODEOWNERS": true, "docs/CODEOWNERS": true, ".gitlab/CODEOWNERS": true, "x/CODEOWNERS": false,
		"verdict.yaml": true, "x/verdict.yaml": true, ".gitattributes": true, "x/.gitattributes": true, ".circleci/config.yml": true, "bitbucket-pipelines.yml": true, "x/Jenkinsfile": true, ".buildkite/pipeline.yml": true, "x/bitbucket-pipelines.yml": false, ".verdictignore": true, ".github/workflows/ci.yml": true, ".github/dependabot.yml": false,
		"azure-pipelines.yml": true, "ci/azure-pipelines-release.yaml": true, ".gitlab-ci.yml": true, "policy/a.json": true, "x/deny.rego": true,
		"catalog-info.yaml": true, "main.go": false, "docs/policy/a.md": false,
	} {
		if protectedPath(path) != want {
			t.Errorf("%s: protected %t", path, !want)
		}
	}
}

// A pipeline is what all of its files say: who changes one that is included changes what is
// checked.
func TestWhatTheGitLabPipelineIncludesIsProtected(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{
		"CODEOWNERS": "* @alma-r\n",
		".gitlab-ci.yml": "include:\n  - local: /build/jobs.yml\n  - 'templates/*.yml'\n  - {local: 'deep/**.yml', rules: [{if: $CI}]}\n  - https://acme.example/far.yml\n" +
			"  - {project: acme/house, file: /other.yml}\n  - local: 'env/${STAGE}.yml'\ndeploy:\n  trigger: {include: child.yml}\n  script: !reference [.a, b]\n",
		"build/jobs.yml": "include: build/more.yml\n",
	})
	head := s.commit(map[string]string{".gitlab-ci.yml": "include: mine.yml\n"})
	want := map[string]bool{
		"build/jobs.yml": true, "build/more.yml": true, "templates/a.yml": true, "templates/x/a.yml": false, "deep/a/b/c.yml": true, "deep/a.yml": true, "deep/a.txt": false,
		"env/prod.yml": true, "child.yml": true, "other.yml": false, "far.yml": false, "main.go": false, "mine.yml": false,
	}
	o, err := Owners(t.Context(), s.asked(base, head, people), slices.Collect(maps.Keys(want)))
	must(t, err)
	for _, g := range o.Groups {
		for _, p := range g.Paths {
			if g.Protected != want[p] {
				t.Errorf("%s: protected %t", p, g.Protected)
			}
		}
	}
	if o.State != verdict.StateVerified || len(o.Groups) == 0 {
		t.Errorf("%+v", o)
	}
}

func TestARuleOfItsOwnIsNotTheOneForEverything(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"CODEOWNERS": "* @alma-r\n/.github/ @noorh\n"})
	o, err := Owners(t.Context(), s.asked(base, base, people), []string{".github/workflows/ci.yml", "verdict.yaml"})
	must(t, err)
	for _, g := range o.Groups {
		if own := g.Paths[0] != "verdict.yaml"; g.Own != own || !g.Protected {
			t.Errorf("%+v", g)
		}
	}
}

// Whoever owns everything is not asked for the paths that say who decides: a pattern for
// all of it, however it is written, is no rule of their own.
func TestAPatternForEverythingIsNoRuleOfItsOwn(t *testing.T) {
	for _, read := range []func(string) (pattern, bool){githubPattern, gitlabPattern} {
		for text, whole := range map[string]bool{
			"*": true, "**": true, "/": true, "/**": true, "/**/*": true, "**/*": true, "**/**": true, "?*": true, "*?*": true, "**/?*": true, "/*": true, "*.*": true, "*/": true, "**/": true,
			"verdict.yaml": false, "*.yaml": false, "/.github/": false, "/v*": false, "**/v*/**": false,
		} {
			if p, ok := read(text); ok && p.whole != whole {
				t.Errorf("%s: whole %t", text, p.whole)
			}
		}
	}
	for text, whole := range map[string]bool{"[!~]*": true, "/**/[a-z.]*": true, "[]a-z]*": true, `[\]a]*`: true, "[v]erdict.yaml": false, "[v*": false} {
		if p, _ := gitlabPattern(text); p.whole != whole {
			t.Errorf("GitLab's %s: whole %t", text, p.whole)
		}
	}
}

// declaredFrom reads the services of the question's map as a file of another name says
// them.
func declaredFrom(t *testing.T, q Question, name string) *source {
	t.Helper()
	text, err := q.Map.Canonical()
	must(t, err)
	m, err := decisionmap.Load(name, text)
	must(t, err)
	address, err := q.Repo.Remote(t.Context())
	must(t, err)
	return declared(m, address)
}

func TestTheRulesThatTheMapNamesAreProtected(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"CODEOWNERS": "* @alma-r\n"})
	o, err := Owners(t.Context(), s.asked(base, base, people+"policies: {bundle: 'guard@sha256:"+strings.Repeat("0", 64)+"'}\n"), []string{"guard/deny.json", "guards.go"})
	must(t, err)
	for _, g := range o.Groups {
		if g.Protected != (g.Paths[0] == "guard/deny.json") {
			t.Errorf("%+v", g)
		}
	}
}

// A name that has to be quoted to be shown must not lose its owner, or its protection, by
// that.
func TestAnOddNameKeepsItsFolder(t *testing.T) {
	s := newRepo(t)
	base := s.commit(map[string]string{"CODEOWNERS": "/.github/ @noorh\n"})
	head := s.commit(map[string]string{".github/workflows/a\x01.yml": "x"})
	q := s.asked(base, head, people)
	c, err := Change(t.Context(), q)
	must(t, err)
	o, err := OwnersOf(t.Context(), q, c)
	must(t, err)
	if len(o.Groups) != 1 || !o.Groups[0].Protected || o.Groups[0].Unowned() || strings.Contains(o.Groups[0].Paths[0], "\x01") {
		t.Errorf("%+v", o.Groups)
	}
}

func TestTheOwnersOfAChangeThatIsNotKnownAreNotKnown(t *testing.T) {
	s := newRepo(t)
	base := s.commit(nil)
	o, err := OwnersOf(t.Context(), s.asked(base, base, people), verdict.Change{Knowledge: missing("shallow", "fetch")})
	must(t, err)
	if o.State != verdict.StateMissing || o.Remedy != "fetch" {
		t.Errorf("%+v", o)
	}
}
