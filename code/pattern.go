package code

import (
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// pattern is a path pattern of an ownership file, cut into its parts between slashes.
type pattern struct {
	parts []string // globs; anyDepth and below are words of their own
	// sets is true where [a-z] is a set and a backslash takes the next letter as it is.
	sets bool
	// descends is true where a folder that matches stands for all that it holds.
	descends bool
	whole    bool // names nothing, and so stands for whatever there is
}

// Parts that are no globs: no pattern of a file can hold a slash in a part.
const (
	anyDepth = "/**" // any number of folders, also none
	below    = "/+"  // one part or more: what is in a folder
)

// githubPattern reads a pattern by the rules of gitignore, as GitHub takes them: no !, no
// sets, and "dir/*" is what lies directly in dir. It is false for what GitHub skips.
func githubPattern(text string) (pattern, bool) {
	if strings.ContainsAny(text, "[]") || strings.HasPrefix(text, "!") || strings.HasPrefix(text, `\#`) {
		return pattern{}, false
	}
	var p pattern
	if text == "/" {
		return pattern{parts: []string{below}, whole: true}, true
	}
	body, folder := strings.CutSuffix(text, "/")
	anchored := strings.Contains(body, "/")
	body = strings.TrimPrefix(body, "/")
	if !anchored && body != "**" {
		p.parts = append(p.parts, anyDepth)
	}
	names := strings.Split(strings.ReplaceAll(body, `\ `, " "), "/")
	for i, name := range names {
		last := i == len(names)-1
		switch {
		case name == "":
			return pattern{}, false
		case name == "**" && last:
			p.parts = append(p.parts, below)
		case name == "**":
			p.parts = append(p.parts, anyDepth)
		default:
			p.parts = append(p.parts, name)
			p.descends = last && !folder && name != "*"
		}
	}
	if folder {
		p.parts = append(p.parts, below)
	}
	p.whole = p.namesNothing()
	return p, true
}

// gitlabPattern reads a pattern as GitLab does: the fnmatch of Ruby over the whole path,
// in which a pattern without a slash in front may begin in any folder, one with a slash
// at its end is what the folder holds, and one without is a file.
func gitlabPattern(text string) (pattern, bool) {
	p := pattern{sets: true}
	if rest, ok := strings.CutPrefix(text, `\#`); ok {
		text = "#" + rest
	}
	text = strings.ReplaceAll(text, `\ `, " ")
	body, rooted := strings.CutPrefix(text, "/")
	if !rooted {
		p.parts = append(p.parts, anyDepth)
	}
	body, folder := strings.CutSuffix(body, "/")
	names := strings.Split(body, "/")
	if body == "" && (rooted || folder) {
		names = nil
	}
	for i, name := range names {
		switch {
		case name == "":
			return pattern{}, false
		case name == "**" && (folder || i < len(names)-1):
			p.parts = append(p.parts, anyDepth)
		default:
			p.parts = append(p.parts, name)
		}
	}
	if folder || body == "" {
		p.parts = append(p.parts, below)
	}
	p.whole = p.namesNothing()
	return p, true
}

// setText is a set as setMatches reads it: a bracket that comes first in it is one of it.
var setText = regexp.MustCompile(`(?s)\[[!^]?(?:\\.|[^\\])(?:\\.|[^\]\\])*\]`)

// namesNothing reports whether no part holds a letter of a name: only *, ?, dots and sets,
// which can be written to match everything in more ways than a list could hold.
func (p pattern) namesNothing() bool {
	return !slices.ContainsFunc(p.parts, func(part string) bool {
		if part == anyDepth || part == below {
			return false
		}
		if p.sets {
			part = setText.ReplaceAllString(part, "")
		}
		return strings.Trim(part, "*?.") != ""
	})
}

// folderPattern is a folder and all that it holds, by its plain name; "." is everything.
func folderPattern(folder string) pattern {
	if folder == "." || folder == "" {
		return pattern{parts: []string{below}, whole: true}
	}
	parts := strings.Split(folder, "/")
	for i, name := range parts {
		parts[i] = escaped.Replace(name)
	}
	return pattern{parts: parts, sets: true, descends: true}
}

var escaped = strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)

// matches reports whether the pattern stands for the path, which is slash-separated and
// relative to the repository's top. Case counts. The work is bounded by the product of
// the lengths, whatever the pattern says.
func (p pattern) matches(path string) bool {
	names := strings.Split(path, "/")
	// here[i]: the parts so far take exactly the first i names.
	here := make([]bool, len(names)+1)
	here[0] = true
	for _, part := range p.parts {
		next := make([]bool, len(names)+1)
		some := false
		for i := range next {
			switch part {
			case anyDepth: // folders only: the last name is a file
				next[i] = here[i] || i > 0 && i < len(names) && next[i-1]
			case below:
				next[i] = i > 0 && (here[i-1] || next[i-1])
			default:
				next[i] = i > 0 && here[i-1] && globMatches(part, names[i-1], p.sets)
			}
			some = some || next[i]
		}
		if !some {
			return false
		}
		here = next
	}
	if here[len(names)] {
		return true
	}
	if p.descends {
		for _, reached := range here[1:len(names)] {
			if reached {
				return true
			}
		}
	}
	return false
}

// globMatches matches one name: * is any run of letters, ? is one letter.
func globMatches(glob, name string, sets bool) bool {
	g, n := 0, 0
	star, from := -1, 0 // where the last * stood, and what it has taken up to
	for n < len(name) {
		if g < len(glob) && glob[g] == '*' {
			star, from = g, n
			g++
			continue
		}
		if width, next, ok := oneMatches(glob, g, name[n:], sets); ok {
			g, n = next, n+width
			continue
		}
		if star < 0 {
			return false
		}
		from++
		g, n = star+1, from
	}
	for g < len(glob) && glob[g] == '*' {
		g++
	}
	return g == len(glob)
}

// oneMatches matches what stands at g against the first letter of rest. It gives the
// bytes that it took and where the glob goes on.
func oneMatches(glob string, g int, rest string, sets bool) (width, next int, ok bool) {
	if g >= len(glob) {
		return 0, g, false
	}
	_, size := letter(rest)
	switch c := glob[g]; {
	case c == '?':
		return size, g + 1, true
	case c == '[' && sets:
		return setMatches(glob, g, rest)
	case c == '\\' && g+1 < len(glob):
		return 1, g + 2, glob[g+1] == rest[0]
	default:
		return 1, g + 1, c == rest[0]
	}
}

// setMatches matches a set such as [a-z] or [!0-9]. One that is not closed is a plain
// bracket.
func setMatches(glob string, g int, rest string) (width, next int, ok bool) {
	r, size := letter(rest)
	i := g + 1
	not := i < len(glob) && (glob[i] == '!' || glob[i] == '^')
	if not {
		i++
	}
	found := false
	for first := true; i < len(glob) && (glob[i] != ']' || first); first = false {
		low, n := escapedLetter(glob[i:])
		i += n
		high := low
		if i+1 < len(glob) && glob[i] == '-' && glob[i+1] != ']' {
			high, n = escapedLetter(glob[i+1:])
			i += 1 + n
		}
		found = found || low <= r && r <= high
	}
	if i >= len(glob) {
		return 1, g + 1, rest[0] == '['
	}
	return size, i + 1, found != not
}

func escapedLetter(s string) (rune, int) {
	if len(s) > 1 && s[0] == '\\' {
		r, n := letter(s[1:])
		return r, n + 1
	}
	return letter(s)
}

// letter is the first rune of a text that is not empty; a byte that is none stands for
// itself.
func letter(s string) (rune, int) {
	r, n := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && n == 1 {
		return rune(s[0]), 1
	}
	return r, n
}
