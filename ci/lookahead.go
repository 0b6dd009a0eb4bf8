package ci

import (
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Most rules look for an assignment: a name with a keyword in it, a few characters, and
// then a sign such as = or :. Most keywords in a text are not followed by one. Which
// characters may stand between, and which must follow, is read from the expression.

// member is one string that the group with the keyword matches, and where the keyword
// stands in it.
type member struct {
	text string
	at   int
}

// ahead is what must follow the group: characters of between, at most longest bytes,
// then one of wanted.
type ahead struct {
	between, wanted [256]bool
	longest         int
}

// lookahead reads both from the parts of a concatenation, and compiles what begins with
// the group: run at a keyword, it tells whether a match can be there without trying all
// the places before it. It gives nothing where the expression has another form.
func (r *reach) lookahead(re *syntax.Regexp, keywords []string) {
	if re.Op != syntax.OpConcat {
		return
	}
	parts := grouped(re.Sub)
	subs := 0 // in front of the part
	for i, p := range parts {
		var group []member
		for _, s := range p.set {
			if at := firstKeyword(s, keywords); at >= 0 {
				group = append(group, member{s, at})
			}
		}
		if len(group) == 0 || len(group) != len(p.set) {
			subs += p.subs
			continue
		}
		rest := append([]*syntax.Regexp{{Op: syntax.OpBeginText}}, re.Sub[subs:]...)
		r.group, r.ahead = group, following(parts[i+1:])
		// What cannot be compiled on its own is only not refused early.
		r.probe, _ = regexp.Compile((&syntax.Regexp{Op: syntax.OpConcat, Flags: re.Flags, Sub: rest}).String())
		return
	}
}

func following(parts []part) *ahead {
	a := &ahead{}
	for _, p := range parts {
		if p.set == nil && nullable(p.re) {
			each(p.re, func(lo, hi rune) { mark(&a.between, lo, hi) })
			a.longest = capped(a.longest + p.longest)
			continue
		}
		if slices.Contains(p.set, "") {
			for _, s := range p.set {
				markText(&a.between, s)
			}
			a.longest = capped(a.longest + p.longest)
			continue
		}
		for _, s := range p.set {
			markText(&a.wanted, s[:1])
		}
		if p.set == nil {
			first(p.re, &a.wanted)
		}
		return a
	}
	return nil
}

// markText adds the bytes of a lower-case string in both cases.
func markText(set *[256]bool, s string) {
	for _, both := range []string{s, strings.ToUpper(s)} {
		for i := range len(both) {
			set[both[i]] = true
		}
	}
}

// mark adds the bytes that characters from lo to hi are made of.
func mark(set *[256]bool, lo, hi rune) {
	for c := lo; c <= min(hi, utf8.RuneSelf-1); c++ {
		set[c] = true
	}
	if hi >= utf8.RuneSelf {
		for c := utf8.RuneSelf; c < 256; c++ {
			set[c] = true
		}
	}
}

// each calls f for every range of characters that any match of re may hold.
func each(re *syntax.Regexp, f func(lo, hi rune)) {
	switch re.Op {
	case syntax.OpLiteral:
		for _, r := range re.Rune {
			f(r, r)
			if re.Flags&syntax.FoldCase != 0 {
				for o := unicode.SimpleFold(r); o != r; o = unicode.SimpleFold(o) {
					f(o, o)
				}
			}
		}
	case syntax.OpCharClass:
		for i := 0; i+1 < len(re.Rune); i += 2 {
			f(re.Rune[i], re.Rune[i+1])
		}
	case syntax.OpAnyChar, syntax.OpAnyCharNotNL:
		f(0, utf8.MaxRune)
	}
	for _, sub := range re.Sub {
		each(sub, f)
	}
}

// first marks every byte that a match of re may begin with. It may mark more.
func first(re *syntax.Regexp, set *[256]bool) {
	switch re.Op {
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			first(sub, set)
			if !nullable(sub) {
				return
			}
		}
	case syntax.OpLiteral:
		each(&syntax.Regexp{Op: re.Op, Flags: re.Flags, Rune: re.Rune[:1]}, func(lo, hi rune) { mark(set, lo, hi) })
	case syntax.OpAlternate, syntax.OpCapture, syntax.OpPlus, syntax.OpStar, syntax.OpQuest, syntax.OpRepeat:
		for _, sub := range re.Sub {
			first(sub, set)
			if nullable(sub) && re.Op == syntax.OpAlternate { // what follows may begin the match
				mark(set, 0, utf8.MaxRune)
			}
		}
	default:
		each(re, func(lo, hi rune) { mark(set, lo, hi) })
	}
}

// nullable reports whether re can match nothing.
func nullable(re *syntax.Regexp) bool {
	switch re.Op {
	case syntax.OpLiteral, syntax.OpCharClass, syntax.OpAnyChar, syntax.OpAnyCharNotNL, syntax.OpNoMatch:
		return false
	case syntax.OpCapture, syntax.OpPlus:
		return nullable(re.Sub[0])
	case syntax.OpRepeat:
		return re.Min == 0 || nullable(re.Sub[0])
	case syntax.OpConcat:
		for _, sub := range re.Sub {
			if !nullable(sub) {
				return false
			}
		}
	case syntax.OpAlternate:
		for _, sub := range re.Sub {
			if nullable(sub) {
				return true
			}
		}
		return false
	}
	return true
}

// follows reports whether a match may have its keyword at this place of the text: one
// of the group's strings stands there, and what must follow it does.
func (r *reach) follows(text []byte, at int) bool {
	if r.group == nil {
		return true
	}
	for _, m := range r.group {
		begin := at - m.at
		if begin < 0 || begin+len(m.text) > len(text) || !equalFold(text[begin:begin+len(m.text)], m.text) {
			continue
		}
		if r.ahead != nil && !r.ahead.holds(text[begin+len(m.text):]) {
			continue
		}
		if r.probe == nil || r.probe.Match(text[begin:min(len(text), r.end(text, at)+margin)]) {
			return true
		}
	}
	return false
}

func (a *ahead) holds(text []byte) bool {
	for i, c := range text {
		if a.wanted[c] {
			return true
		}
		if i >= a.longest || !a.between[c] {
			return false
		}
	}
	return false
}

// equalFold compares with a lower-case string, in ASCII.
func equalFold(b []byte, s string) bool {
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != s[i] {
			return false
		}
	}
	return true
}
