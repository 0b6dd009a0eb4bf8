package ci

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode/utf8"
)

// reach says how far from a keyword a match of a rule's expression can extend, so that
// the expression needs to run near keywords only, with the same result as over the
// whole text. It is read from the expression itself:
//
//   - known is true when every match contains one of the keywords;
//   - then a match begins at most before bytes before that keyword;
//   - and it ends at most where steps lead to from the keyword's first byte.
//
// Two matches that could compete for the same text lie in overlapping windows, so a
// union of windows gives exactly the matches of the whole text. This needs texts
// without the letters that only fold to ASCII (see oddFolds).
type reach struct {
	known  bool
	before int // bytes; endless: no bound
	steps  []step
	// group, ahead and probe refuse most keywords without running the expression; see
	// follows.
	group []member
	ahead *ahead
	probe *regexp.Regexp
}

// step is at most length bytes of any kind and then, unless run is nil, any number of
// bytes of run: what a repetition without bound can take.
type step struct {
	length int
	run    *[256]bool
}

// endless stands for no bound. Sums of it stay above it and below overflow.
const endless = 1 << 30

// margin covers what an assertion at the edge of a window looks at: one character.
const margin = utf8.UTFMax

// end is where a match whose keyword begins at the given place ends at the latest.
func (r *reach) end(text []byte, at int) int {
	for _, s := range r.steps {
		at += s.length
		if at >= len(text) {
			return len(text)
		}
		if s.run != nil {
			for at < len(text) && s.run[text[at]] {
				at++
			}
		}
	}
	return at
}

// reachOf reads the expression of a rule with these lower-case keywords.
func reachOf(expr string, keywords []string) reach {
	re, err := syntax.Parse(expr, syntax.Perl)
	if err != nil || len(keywords) == 0 {
		return reach{}
	}
	r := contains(re, keywords)
	if r.known {
		r.lookahead(re, keywords)
	}
	return r
}

func capped(n int) int { return min(n, endless) }

// contains finds where in every match of re a keyword stands.
func contains(re *syntax.Regexp, keywords []string) reach {
	if set, ok := exact(re); ok {
		return containsExact(set, keywords)
	}
	switch re.Op {
	case syntax.OpCapture:
		return contains(re.Sub[0], keywords)
	case syntax.OpPlus:
		return repeated(contains(re.Sub[0], keywords), re)
	case syntax.OpRepeat:
		if re.Min < 1 {
			return reach{}
		}
		return repeated(contains(re.Sub[0], keywords), re)
	case syntax.OpAlternate:
		out := reach{known: true}
		var ways [][]step
		for _, sub := range re.Sub {
			r := contains(sub, keywords)
			if !r.known {
				return reach{}
			}
			out.before = max(out.before, r.before)
			ways = append(ways, r.steps)
		}
		out.steps = anyOf(ways)
		return out
	case syntax.OpConcat:
		return containsConcat(re.Sub, keywords)
	}
	return reach{}
}

// repeated is for a keyword in the first of several repetitions: all of them may follow.
func repeated(r reach, re *syntax.Regexp) reach {
	r.steps = join(r.steps, stepsOf(re))
	return r
}

func containsExact(set, keywords []string) reach {
	out := reach{known: true}
	after := 0
	for _, s := range set {
		at := firstKeyword(s, keywords)
		if at < 0 {
			return reach{}
		}
		out.before, after = max(out.before, at), max(after, len(s)-at)
	}
	out.steps = []step{{length: after}}
	return out
}

// join is one after the other.
func join(a, b []step) []step {
	if len(a) == 0 {
		return b
	}
	out := slices.Clone(a)
	for _, s := range b {
		if last := &out[len(out)-1]; last.run == nil {
			*last = step{capped(last.length + s.length), s.run}
		} else {
			out = append(out, s)
		}
	}
	return out
}

// anyOf covers each of several ways: as many runs as the one with the most, each of any
// byte that one of them takes, and before, between and behind them all the rest.
func anyOf(ways [][]step) []step {
	runs, longest := 0, 0
	var run [256]bool
	for _, steps := range ways {
		n, length := 0, 0
		for _, s := range steps {
			length = capped(length + s.length)
			if s.run != nil {
				n++
				for c, in := range s.run {
					run[c] = run[c] || in
				}
			}
		}
		runs, longest = max(runs, n), max(longest, length)
	}
	out := []step{}
	for range runs {
		out = append(out, step{longest, &run})
	}
	return append(out, step{length: longest})
}

// stepsOf covers every match of re.
func stepsOf(re *syntax.Regexp) []step {
	if n := longest(re); n < endless {
		return []step{{length: n}}
	}
	switch re.Op {
	case syntax.OpCapture, syntax.OpQuest:
		return stepsOf(re.Sub[0])
	case syntax.OpConcat:
		var all []step
		for _, sub := range re.Sub {
			all = join(all, stepsOf(sub))
		}
		return all
	case syntax.OpAlternate:
		var ways [][]step
		for _, sub := range re.Sub {
			ways = append(ways, stepsOf(sub))
		}
		return anyOf(ways)
	}
	var run [256]bool
	each(re, func(lo, hi rune) { mark(&run, lo, hi) })
	return []step{{run: &run}}
}

// width is how wide a window is in a text like most.
func (r reach) width() int {
	n := r.before
	for _, s := range r.steps {
		n = capped(n + s.length)
		if s.run != nil {
			n = capped(n + 1000)
		}
	}
	return n
}

func firstKeyword(s string, keywords []string) int {
	first := -1
	for _, k := range keywords {
		if at := strings.Index(s, k); at >= 0 && (first < 0 || at < first) {
			first = at
		}
	}
	return first
}

// containsConcat chooses the part with the narrowest window.
func containsConcat(subs []*syntax.Regexp, keywords []string) reach {
	parts := grouped(subs)
	best := reach{}
	before := 0
	for i, p := range parts {
		var r reach
		if p.set != nil {
			r = containsExact(p.set, keywords)
		} else {
			r = contains(p.re, keywords)
		}
		if r.known {
			r.before = capped(r.before + before)
			for _, q := range parts[i+1:] {
				r.steps = join(r.steps, q.steps)
			}
			if !best.known || r.width() < best.width() {
				best = r
			}
		}
		before = capped(before + p.longest)
	}
	return best
}

// part is one element of a concatenation, or several neighbours that together match a
// small set of strings only.
type part struct {
	re      *syntax.Regexp
	set     []string // nil when the set is not known
	longest int
	steps   []step
	subs    int // how many elements it joins
}

// grouped joins neighbours with known sets, so that a keyword across them is seen.
func grouped(subs []*syntax.Regexp) []part {
	var out []part
	for _, sub := range subs {
		p := part{re: sub, longest: longest(sub), steps: stepsOf(sub), subs: 1}
		if set, ok := exact(sub); ok {
			p.set = set
			if n := len(out); n > 0 && out[n-1].set != nil {
				if both, ok := product(out[n-1].set, set); ok {
					out[n-1].set = both
					out[n-1].longest = capped(out[n-1].longest + p.longest)
					out[n-1].steps = join(out[n-1].steps, p.steps)
					out[n-1].subs++
					continue
				}
			}
		}
		out = append(out, p)
	}
	return out
}

const mostExact = 256 // strings in a set

func product(a, b []string) ([]string, bool) {
	if len(a)*len(b) > mostExact {
		return nil, false
	}
	out := make([]string, 0, len(a)*len(b))
	for _, x := range a {
		for _, y := range b {
			out = append(out, x+y)
		}
	}
	return out, true
}

// exact gives every string that re matches, in lower ASCII case, when they are few.
func exact(re *syntax.Regexp) ([]string, bool) {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 && slices.ContainsFunc(re.Rune, func(r rune) bool { return r >= utf8.RuneSelf }) {
			return nil, false // the other case may take more bytes
		}
		return []string{lower(string(re.Rune))}, true
	case syntax.OpCharClass:
		return exactClass(re.Rune)
	case syntax.OpEmptyMatch:
		return []string{""}, true
	case syntax.OpCapture:
		return exact(re.Sub[0])
	case syntax.OpQuest:
		set, ok := exact(re.Sub[0])
		return append(slices.Clip(set), ""), ok
	case syntax.OpRepeat:
		if re.Min != re.Max || re.Min < 1 || re.Min > 8 {
			return nil, false
		}
		return exactConcat(slices.Repeat(re.Sub, re.Min))
	case syntax.OpConcat:
		return exactConcat(re.Sub)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			set, ok := exact(sub)
			if !ok || len(all)+len(set) > mostExact {
				return nil, false
			}
			all = append(all, set...)
		}
		slices.Sort(all)
		return slices.Compact(all), true
	}
	return nil, false
}

func exactConcat(subs []*syntax.Regexp) ([]string, bool) {
	all := []string{""}
	for _, sub := range subs {
		set, ok := exact(sub)
		if ok {
			all, ok = product(all, set)
		}
		if !ok {
			return nil, false
		}
	}
	slices.Sort(all)
	return slices.Compact(all), true
}

// exactClass lists a class of a few ASCII characters.
func exactClass(ranges []rune) ([]string, bool) {
	var set []string
	for i := 0; i+1 < len(ranges); i += 2 {
		lo, hi := ranges[i], ranges[i+1]
		if onlyOdd(lo, hi) {
			continue
		}
		if hi >= utf8.RuneSelf || len(set)+int(hi-lo) > 64 {
			return nil, false
		}
		for c := lo; c <= hi; c++ {
			set = append(set, lower(string(c)))
		}
	}
	slices.Sort(set)
	return slices.Compact(set), len(set) > 0
}

// lower is lower case of ASCII letters alone, as keywords compares.
func lower(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			r += 'a' - 'A'
		}
		return r
	}, s)
}

// longest is the most bytes that a match of re takes.
func longest(re *syntax.Regexp) int {
	switch re.Op {
	case syntax.OpLiteral:
		n := 0
		for _, r := range re.Rune {
			n += widest(r, r, re.Flags&syntax.FoldCase != 0)
		}
		return n
	case syntax.OpCharClass:
		n := 0
		for i := 0; i+1 < len(re.Rune); i += 2 {
			n = max(n, widest(re.Rune[i], re.Rune[i+1], false))
		}
		return n
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		return utf8.UTFMax
	case syntax.OpCapture, syntax.OpQuest:
		return longest(re.Sub[0])
	case syntax.OpStar, syntax.OpPlus:
		if longest(re.Sub[0]) == 0 {
			return 0
		}
		return endless
	case syntax.OpRepeat:
		n := longest(re.Sub[0])
		if n == 0 {
			return 0
		}
		if re.Max < 0 || re.Max > endless/n {
			return endless
		}
		return capped(re.Max * n)
	case syntax.OpConcat:
		n := 0
		for _, sub := range re.Sub {
			n = capped(n + longest(sub))
		}
		return n
	case syntax.OpAlternate:
		n := 0
		for _, sub := range re.Sub {
			n = max(n, longest(sub))
		}
		return n
	}
	return 0 // assertions
}

// widest is the most bytes that one character from lo to hi takes.
func widest(lo, hi rune, fold bool) int {
	switch {
	case onlyOdd(lo, hi):
		return 0
	case hi < utf8.RuneSelf:
		return 1
	case fold:
		return utf8.UTFMax // the other case of a letter may take more bytes
	}
	return max(utf8.RuneLen(hi), 1)
}

// The long s and the Kelvin sign fold to s and k, and so stand in every expression that
// ignores case; the capital I with a dot becomes an i when a text is put to lower case.
const longS, kelvin, dottedI = '\u017f', '\u212a', '\u0130'

// onlyOdd reports whether a range of a class came in by folding alone.
func onlyOdd(lo, hi rune) bool { return lo == hi && (lo == longS || lo == kelvin) }

// oddFolds are the texts in which such a letter stands. There the windows do not hold,
// and rules run over the whole text.
var oddFolds = []string{string(longS), string(kelvin), string(dottedI)}
