package ci

import (
	"context"
	"crypto/sha256"
	_ "embed" // the rules file
	"encoding/hex"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/pelletier/go-toml/v2"
	"github.com/zricethezav/gitleaks/v8/config"
	"github.com/zricethezav/gitleaks/v8/detect"

	"verdict"
)

// RulesVersion names the rule set that the secrets check runs beside its own rules.
const RulesVersion = "gitleaks v8.30.1"

//go:embed rules.toml
var ownRules string

// ruleFile is the form of both rule files. What is not named here (titles, tags) has no
// part in what a rule finds; a test holds that for every key of the library's set.
type ruleFile struct {
	Allowlist  *allowSpec
	Allowlists []allowSpec
	Rules      []ruleSpec
}

type ruleSpec struct {
	ID, Description, Path, Regex string
	SecretGroup                  int
	Entropy                      float64
	Keywords                     []string
	Allowlists                   []allowSpec
	// Yields is of our own rules alone: another that finds the same value says more.
	Yields bool
}

type allowSpec struct {
	Condition, RegexTarget    string
	Paths, Regexes, StopWords []string
}

// rule is one rule. Its expressions are compiled when its keyword is first met: most
// runs meet few.
type rule struct {
	ruleSpec
	allowed []*config.Allowlist // the global lists

	once    sync.Once
	err     error
	regex   *regexp.Regexp
	path    *regexp.Regexp
	reach   reach
	lists   []*config.Allowlist // its own
	library *detect.Detector    // with this rule alone
}

// ruleSet is the library's rules and our own.
type ruleSet struct {
	rules    []*rule
	keywords *keywords
	// of gives the rules of each keyword; always are those that have none.
	of      [][]int
	always  []int // without the rules about paths alone
	byPath  []int // these
	allowed []*config.Allowlist
	outside *pathList // what the global lists leave out
	digest  verdict.Digest
}

// loadRules is done once in a process: the rules are part of the program.
var loadRules = sync.OnceValues(func() (*ruleSet, error) { return newRuleSet(config.DefaultConfig, ownRules) })

func newRuleSet(library, own string) (*ruleSet, error) {
	sum := sha256.Sum256([]byte(library + "\x00" + own + "\x00" + searchRevision))
	s := &ruleSet{digest: verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))}
	for _, text := range []string{library, own} {
		var f ruleFile
		if err := toml.Unmarshal([]byte(text), &f); err != nil {
			return nil, fmt.Errorf("rules for secrets: %w", err)
		}
		if f.Allowlist != nil {
			f.Allowlists = append(f.Allowlists, *f.Allowlist)
		}
		for _, a := range f.Allowlists {
			list, err := a.compile()
			if err != nil {
				return nil, fmt.Errorf("rules for secrets: %w", err)
			}
			s.allowed = append(s.allowed, list)
		}
		for _, r := range f.Rules {
			s.rules = append(s.rules, &rule{ruleSpec: r})
		}
	}
	s.index()
	return s, nil
}

// index makes the automaton over every keyword.
func (s *ruleSet) index() {
	number := map[string]int{}
	var words []string
	for i, r := range s.rules {
		r.allowed = s.allowed
		switch {
		case r.Regex == "":
			s.byPath = append(s.byPath, i)
			continue
		case len(r.Keywords) == 0:
			s.always = append(s.always, i)
		}
		for k, word := range r.Keywords {
			word = strings.ToLower(word)
			r.Keywords[k] = word
			n, known := number[word]
			if !known {
				n = len(words)
				number[word], words, s.of = n, append(words, word), append(s.of, nil)
			}
			if !slices.Contains(s.of[n], i) {
				s.of[n] = append(s.of[n], i)
			}
		}
	}
	s.keywords = newKeywords(words)
	var paths []*regexp.Regexp
	for _, a := range s.allowed {
		if a.MatchCondition == config.AllowlistMatchOr {
			paths = append(paths, a.Paths...)
		}
	}
	s.outside = newPathList(paths)
}

// pathAllowed reports whether the rule set leaves the file out altogether.
func (s *ruleSet) pathAllowed(path string) bool { return s.outside.matches(path) }

// ready compiles the rule.
func (r *rule) ready() error {
	r.once.Do(func() { r.err = r.compile() })
	return r.err
}

func (r *rule) compile() error {
	made := config.Rule{
		RuleID: r.ID, Description: r.Description, Entropy: r.Entropy, SecretGroup: r.SecretGroup, Keywords: r.Keywords, Tags: []string{},
	}
	var err error
	if r.Path != "" {
		if r.path, err = regexp.Compile(r.Path); err != nil {
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
		made.Path = r.path
	}
	if r.Regex != "" {
		if r.regex, err = regexp.Compile(r.Regex); err != nil {
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
		made.Regex = r.regex
		r.reach = reachOf(r.Regex, r.Keywords)
	}
	for _, a := range r.Allowlists {
		list, err := a.compile()
		if err != nil {
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
		made.Allowlists = append(made.Allowlists, list)
	}
	r.lists = made.Allowlists
	if err := made.Validate(); err != nil {
		return fmt.Errorf("rule %s: %w", r.ID, err)
	}
	words := map[string]struct{}{}
	for _, k := range r.Keywords {
		words[k] = struct{}{}
	}
	r.library = detect.NewDetectorContext(context.Background(), config.Config{
		Rules: map[string]config.Rule{r.ID: made}, Keywords: words, OrderedRules: []string{r.ID}, Allowlists: r.allowed,
	})
	// A comment that a change can bring itself excuses nothing.
	r.library.IgnoreGitleaksAllow = true
	return nil
}

func (a allowSpec) compile() (*config.Allowlist, error) {
	list := &config.Allowlist{RegexTarget: a.RegexTarget, StopWords: a.StopWords}
	switch strings.ToUpper(a.Condition) {
	case "", "OR", "||":
	case "AND", "&&":
		list.MatchCondition = config.AllowlistMatchAnd
	default:
		return nil, fmt.Errorf("allow list with the condition %q", a.Condition)
	}
	if a.RegexTarget == "secret" {
		list.RegexTarget = ""
	}
	for _, e := range a.Regexes {
		re, err := regexp.Compile(e)
		if err != nil {
			return nil, fmt.Errorf("allow list: %w", err)
		}
		list.Regexes = append(list.Regexes, re)
	}
	for _, e := range a.Paths {
		re, err := regexp.Compile(e)
		if err != nil {
			return nil, fmt.Errorf("allow list: %w", err)
		}
		list.Paths = append(list.Paths, re)
	}
	if err := list.Validate(); err != nil {
		return nil, fmt.Errorf("allow list: %w", err)
	}
	return list, nil
}
