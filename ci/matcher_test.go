package ci

import (
	"bytes"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp/syntax"
	"slices"
	"strings"
	"testing"

	"github.com/pelletier/go-toml/v2"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"
)

// theirs is the library's own detector on whole files: what ours must equal.
func theirs(t testing.TB) *detect.Detector {
	t.Helper()
	d, err := detect.NewDetectorDefaultConfig()
	must(t, err)
	d.IgnoreGitleaksAllow = true
	d.MaxDecodeDepth = maxDecode
	return d
}

// libraryRules is the library's set alone, so that both run the same rules.
func libraryRules(t testing.TB) *ruleSet {
	t.Helper()
	s, err := newRuleSet(config.DefaultConfig, "")
	must(t, err)
	return s
}

// compare reports each finding that one of the two has and the other has not, and how
// many both have.
func compare(t *testing.T, s *ruleSet, d *detect.Detector, path string, content []byte) int {
	t.Helper()
	ours, want := map[string]int{}, map[string]int{}
	if !s.pathAllowed(path) {
		found, err := s.find(t.Context(), path, content)
		must(t, err)
		for _, f := range append(found, s.named(path)...) {
			ours[fmt.Sprintf("%s in line %d: %q", f.rule.ID, f.line, f.secret)]++
		}
	}
	both := 0
	//lint:ignore SA1019 the detector of this version takes nothing else
	for _, f := range d.Detect(detect.Fragment{Raw: string(content), FilePath: path, StartLine: 1}) {
		if f.Secret == "" {
			f.StartLine = 0 // the file as such
		}
		want[fmt.Sprintf("%s in line %d: %q", f.RuleID, f.StartLine, f.Secret)]++
	}
	for f, n := range want {
		both += n
		if ours[f] != n {
			t.Errorf("%s: the library has %d × %s, we have %d", path, n, f, ours[f])
		}
	}
	for f, n := range ours {
		if want[f] == 0 {
			t.Errorf("%s: we have %d × %s, the library has none", path, n, f)
		}
	}
	return both
}

// sample makes a string that re matches.
func sample(r *rand.Rand, re *syntax.Regexp, b *strings.Builder) {
	times := func(lo, hi int) {
		if hi < 0 || hi > lo+40 {
			hi = lo + 40
		}
		for range lo + r.IntN(hi-lo+1) {
			sample(r, re.Sub[0], b)
		}
	}
	switch re.Op {
	case syntax.OpLiteral:
		b.WriteString(string(re.Rune))
	case syntax.OpCharClass:
		i := 2 * r.IntN(len(re.Rune)/2)
		c := re.Rune[i] + rune(r.IntN(int(min(re.Rune[i+1], re.Rune[i]+200)-re.Rune[i])+1))
		b.WriteRune(c)
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		b.WriteByte("abcXYZ019 =:\"'_-./"[r.IntN(18)])
	case syntax.OpStar:
		times(0, -1)
	case syntax.OpPlus:
		times(1, -1)
	case syntax.OpQuest:
		times(0, 1)
	case syntax.OpRepeat:
		times(re.Min, re.Max)
	case syntax.OpAlternate:
		sample(r, re.Sub[r.IntN(len(re.Sub))], b)
	case syntax.OpCapture, syntax.OpConcat:
		for _, sub := range re.Sub {
			sample(r, sub, b)
		}
	}
}

// noise is text full of keywords and signs that rules look for.
func noise(r *rand.Rand, s *ruleSet, b *strings.Builder, n int) {
	signs := []string{" ", "\n", "\r\n", "=", ": ", "\"", "'", "|", ">", ",", "\t", "-", ".", "\\n", "//", "x", "9aZ", "ünï", "\xff", ";", "`"}
	for range n {
		switch r.IntN(4) {
		case 0:
			word := s.keywords.words[r.IntN(len(s.keywords.words))]
			if r.IntN(2) == 0 {
				word = strings.ToUpper(word)
			}
			b.WriteString(word)
		case 1:
			b.WriteString(strings.Repeat("aB3", r.IntN(30)))
		default:
			b.WriteString(signs[r.IntN(len(signs))])
		}
	}
}

// What a user loses when this fails: a secret that the library would have found.
func TestWindowsLoseAndInventNothing(t *testing.T) {
	s, d := libraryRules(t), theirs(t)
	r := rand.New(rand.NewPCG(1, 2))
	found, covered := 0, 0
	for _, rule := range s.rules {
		if rule.Regex == "" {
			continue
		}
		re, err := syntax.Parse(rule.Regex, syntax.Perl)
		must(t, err)
		var all strings.Builder
		path := "src/a.txt"
		if rule.Path != "" {
			path = map[string]string{"freemius-secret-key": "a.php", "hashicorp-tf-password": "a.tf", "kubernetes-secret-yaml": "a.yaml", "nuget-config-password": "nuget.config"}[rule.ID]
		}
		for range 4 {
			noise(r, s, &all, r.IntN(16))
			all.WriteString([]string{"", " ", "\n", "\"", "x"}[r.IntN(5)])
			sample(r, re, &all)
			all.WriteString([]string{"", " ", "\n", "\"", "x"}[r.IntN(5)])
		}
		n := compare(t, s, d, path, []byte(all.String()))
		if found += n; n > 0 {
			covered++
		}
	}
	t.Logf("%d findings equal, in texts for %d of %d rules", found, covered, len(s.rules))
	if covered < len(s.rules)*8/10 {
		t.Errorf("only %d of %d rules found anything: the samples test nothing", covered, len(s.rules))
	}
}

// Our own rules have windows too: each finds near its keywords what it finds in the whole.
func TestWindowsOfOurOwnRules(t *testing.T) {
	s, err := newRuleSet("", ownRules)
	must(t, err)
	r := rand.New(rand.NewPCG(9, 10))
	covered := 0
	paths := map[string]string{"docker-registry-auth": ".docker/config.json", "npmrc-credential": ".npmrc", "dotenv-secret": ".env"}
	for _, own := range s.rules {
		re, err := syntax.Parse(own.Regex, syntax.Perl)
		must(t, err)
		path, found := paths[own.ID], 0
		for range 20 {
			var all strings.Builder
			for range 3 {
				noise(r, s, &all, r.IntN(12))
				all.WriteString([]string{"", " ", "\n", "\n"}[r.IntN(4)])
				sample(r, re, &all)
			}
			text := []byte(all.String())
			got, err := s.pass(path, text, func(one *rule, at []int32, odd bool) ([]finding, error) {
				if one != own {
					return nil, nil
				}
				return one.find(t.Context(), path, text, at, odd)
			})
			must(t, err)
			must(t, own.ready())
			want, err := own.confirm(t.Context(), path, text, window{0, len(text)}, 0)
			must(t, err)
			if fmt.Sprint(secretsIn(got)) != fmt.Sprint(secretsIn(want)) {
				t.Errorf("%s in %q: %q, in the whole %q", own.ID, text, secretsIn(got), secretsIn(want))
			}
			found += len(got)
		}
		if found > 0 {
			covered++
		}
	}
	if covered < len(s.rules)*6/10 { // the odd letters of samples keep the entropy of some low
		t.Errorf("only %d of %d rules found anything: the samples test nothing", covered, len(s.rules))
	}
}

func secretsIn(all []finding) (out []string) {
	for _, f := range all {
		out = append(out, fmt.Sprintf("%d: %s", f.line, f.secret))
	}
	return out
}

// The letters that fold to ASCII take another way, with the same result.
func TestLettersThatOnlyFoldToASCII(t *testing.T) {
	s, d := libraryRules(t), theirs(t)
	n := 0
	for _, text := range []string{
		"api_\u212aey = \"" + generic1 + "\"\n", "\u017fecret = \"" + generic1 + "\"\n", "AP\u0130_token: \"" + generic1 + "\"\n",
		"token = \"" + generic1 + "\" # \u212a\n", strings.Repeat("\u0130", 500) + " api_key=\"" + generic1 + "\"",
	} {
		n += compare(t, s, d, "a.txt", []byte(text))
	}
	if n == 0 {
		t.Error("nothing was found at all")
	}
}

// A real tree: the library's own, where secrets of every kind stand.
func TestARealTreeGivesTheSameFindings(t *testing.T) {
	root := filepath.Dir(moduleFile(t, "github.com/zricethezav/gitleaks/v8"))
	s, d := libraryRules(t), theirs(t)
	files, found := 0, 0
	must(t, filepath.WalkDir(filepath.Join(root, "cmd"), func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		must(t, err)
		rel, err := filepath.Rel(root, path)
		must(t, err)
		if files++; !hasNUL(content) {
			found += compare(t, s, d, filepath.ToSlash(rel), content)
		}
		return nil
	}))
	t.Logf("%d files, %d findings equal", files, found)
	if found < 100 {
		t.Errorf("only %d findings", found)
	}
}

func TestSecretsInALineOfMegabytes(t *testing.T) {
	s := libraryRules(t)
	var b bytes.Buffer
	for i := range 8_000 {
		fmt.Fprintf(&b, `{"id":%d,"name":"the name of item","key":"k%d","auth":null,"token":""},`, i, i)
	}
	b.WriteString(`{"api_key":"` + generic1 + `"}`)
	for range 8_000 {
		b.WriteString(`{"secret":"aaaaaaaaaa","access":[1,2,3]},`)
	}
	found, err := s.find(t.Context(), "a.min.json", b.Bytes())
	must(t, err)
	if len(found) != 1 || found[0].secret != generic1 || found[0].line != 1 {
		t.Errorf("%d findings in %d bytes", len(found), b.Len())
	}
}

// A key of the library's file that we do not read would be a rule that does less than
// it says.
func TestEveryKeyOfTheRuleFilesIsRead(t *testing.T) {
	type strict struct {
		Title, Description, MinVersion string
		Allowlist                      *struct {
			Description               string
			Condition, RegexTarget    string
			Paths, Regexes, StopWords []string
		}
		Rules []struct {
			ID, Description, Path, Regex string
			SecretGroup                  int
			Entropy                      float64
			Keywords                     []string
			Yields                       bool
			Allowlists                   []struct {
				Description, Condition, RegexTarget string
				Paths, Regexes, StopWords           []string
			}
		}
	}
	for name, text := range map[string]string{"the library's": config.DefaultConfig, "our own": ownRules} {
		var f strict
		if err := toml.NewDecoder(strings.NewReader(text)).DisallowUnknownFields().Decode(&f); err != nil {
			t.Errorf("%s rules: %v", name, err)
		}
		for _, r := range f.Rules {
			if r.Regex == "" && r.Path == "" {
				t.Errorf("%s rule %s does nothing", name, r.ID)
			}
		}
	}
}

func TestEveryRuleCompiles(t *testing.T) {
	s, err := loadRules()
	must(t, err)
	whole := 0
	for _, r := range s.rules {
		if err := r.ready(); err != nil {
			t.Errorf("%s: %v", r.ID, err)
		}
		if r.regex != nil && !r.reach.known {
			whole++
		}
	}
	t.Logf("%d rules, %d of them run over the whole of a file that holds their keyword", len(s.rules), whole)
	if whole > 12 {
		t.Errorf("%d rules have no window: the reading of expressions got worse", whole)
	}
}

func TestKeywordsAreFoundAsByLooking(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for range 300 {
		var words []string
		for range 1 + r.IntN(6) {
			w := make([]byte, 1+r.IntN(4))
			for i := range w {
				w[i] = "ab-"[r.IntN(3)]
			}
			if !slices.Contains(words, string(w)) {
				words = append(words, string(w))
			}
		}
		text := make([]byte, 60)
		for i := range text {
			text[i] = "abAB-x\xff"[r.IntN(7)]
		}
		var want, got []string
		for w, word := range words {
			for i := 0; i+len(word) <= len(text); i++ {
				if equalFold(text[i:i+len(word)], word) {
					want = append(want, fmt.Sprint(w, i))
				}
			}
		}
		newKeywords(words).scan(text, func(word, at int) { got = append(got, fmt.Sprint(word, at)) })
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) {
			t.Fatalf("%q in %q: %v, want %v", words, text, got, want)
		}
	}
}

func TestReachOfAnExpression(t *testing.T) {
	text := []byte(strings.Repeat(".", 200))
	for _, c := range []struct {
		name, expr   string
		keywords     []string
		known        bool
		before, most int // most: the end for a keyword at 0 in a text of dots
	}{
		{"a keyword at the start", `key[0-9]{3}`, []string{"key"}, true, 0, 6},
		{"a bounded text in front", `[a-z]{0,5}key`, []string{"key"}, true, 5, 3},
		{"characters of several bytes", `.{2}key`, []string{"key"}, true, 8, 3},
		{"either keyword", `(?:one|three)x`, []string{"one", "three"}, true, 0, 6},
		{"a branch without keyword", `(?:one|two)x`, []string{"one"}, false, 0, 0},
		{"an optional keyword", `(?:key)?x`, []string{"key"}, false, 0, 0},
		{"a keyword across parts", `k(?:e)(y)[a-z]`, []string{"key"}, true, 0, 4},
		{"any case", `(?i)k[Ee]Y`, []string{"key"}, true, 0, 3},
		{"an endless text of other bytes behind", `key[0-9]+x`, []string{"key"}, true, 0, 4},
		{"an endless text of these bytes behind", `key\.+x`, []string{"key"}, true, 0, 200},
		{"an endless text in front", `.*key`, []string{"key"}, true, endless, 3},
		{"no keywords", `key`, nil, false, 0, 0},
	} {
		r := reachOf(c.expr, c.keywords)
		if r.known != c.known || r.known && (r.before != c.before || r.end(text, 0) != c.most) {
			t.Errorf("%s: %s is known %v, before %d, ends at %d", c.name, c.expr, r.known, r.before, r.end(text, 0))
		}
	}
}

func FuzzSecretsEqualTheLibrarys(f *testing.F) {
	f.Add([]byte("api_key = \"" + generic1 + "\"\n"))
	f.Add([]byte("-----BEGIN RSA PRIVATE KEY-----\n" + strings.Repeat("QUJD", 30) + "\n-----END RSA PRIVATE KEY-----"))
	f.Add([]byte("curl -u user:" + generic2 + " https://x\nkind: secret\u212a\xff"))
	s, err := newRuleSet(config.DefaultConfig, "")
	must(f, err)
	d := theirs(f)
	f.Fuzz(func(t *testing.T, content []byte) { compare(t, s, d, "a.txt", content) })
}

// moduleFile is a file at the top of a module that the tests can read.
func moduleFile(t *testing.T, module string) string {
	t.Helper()
	dir := strings.TrimSpace(goList(t, "-m", "-f", "{{.Dir}}", module))
	if dir == "" {
		t.Skipf("SKIP the module %s: it is not in the module cache: go mod download %[1]s", module)
	}
	return filepath.Join(dir, "go.mod")
}
