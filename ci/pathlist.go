package ci

import (
	"regexp"
	"regexp/syntax"
	"slices"
)

// pathList matches paths against many expressions. Each can match only where one of a
// few strings stands, so one pass for the strings leaves few expressions to run.
type pathList struct {
	words    *keywords
	of       [][]*regexp.Regexp // by word
	patterns []*regexp.Regexp   // that have no such strings
}

func newPathList(patterns []*regexp.Regexp) *pathList {
	l := &pathList{}
	number := map[string]int{}
	var words []string
	for _, p := range patterns {
		needed := neededStrings(p.String())
		if needed == nil {
			l.patterns = append(l.patterns, p)
		}
		for _, w := range needed {
			n, known := number[w]
			if !known {
				n = len(words)
				number[w], words, l.of = n, append(words, w), append(l.of, nil)
			}
			l.of[n] = append(l.of[n], p)
		}
	}
	l.words = newKeywords(words)
	return l
}

// matches reports whether one of the expressions matches.
func (l *pathList) matches(path string) bool {
	for _, p := range l.patterns {
		if p.MatchString(path) {
			return true
		}
	}
	matched := false
	var tried []*regexp.Regexp
	l.words.scan([]byte(path), func(word, _ int) {
		for _, p := range l.of[word] {
			if matched || slices.Contains(tried, p) {
				continue
			}
			tried = append(tried, p)
			matched = p.MatchString(path)
		}
	})
	return matched
}

// neededStrings gives strings of which every match of expr holds one, in lower case;
// nil when they cannot be told.
func neededStrings(expr string) []string {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil
	}
	subs := []*syntax.Regexp{re}
	if re.Op == syntax.OpConcat {
		subs = re.Sub
	}
	var best []string
	shortest := 0
	for _, p := range grouped(subs) {
		if len(p.set) == 0 {
			continue
		}
		n := len(p.set[0])
		for _, s := range p.set {
			n = min(n, len(s))
		}
		if n > shortest {
			best, shortest = p.set, n
		}
	}
	return best
}
