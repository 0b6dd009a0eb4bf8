package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Neutral makes text of foreign origin fit for one line of a terminal or a pipeline's
// log. A reader still sees everything that was there: what would act is shown as an
// escape. It removes
//   - control characters (C0, DEL, C1), so no escape sequence and no new line,
//   - bidirectional controls and invisible characters, which make a line read
//     differently from what it is,
//   - bytes that are not UTF-8,
//   - what starts a command of a pipeline: "::" at the start of a word (GitHub trims
//     before it looks), and "##[" or "##name[" anywhere (Azure Pipelines and GitHub's
//     older form look anywhere in the line).
//
// Neutral is idempotent.
func Neutral(s string) string {
	if plain(s) {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 16)
	start := true // at the start of a word
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case acts(r):
			b.WriteString(escapeRune(r))
		case r == ':' && start && strings.HasPrefix(s[i:], "::"):
			b.WriteString(`\x3a`)
		case r == '#' && opensCommand(s[i:]):
			b.WriteString(`\x23`)
		default:
			b.WriteRune(r)
		}
		start = r == ' ' || acts(r)
		i += n
	}
	return b.String()
}

// plain reports that s needs no change: printable ASCII without the two characters
// that a command starts with. It spares most strings the slow way.
func plain(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; c < ' ' || c > '~' || c == ':' || c == '#' {
			return false
		}
	}
	return true
}

// opensCommand reports whether s starts with "##", at most 32 letters, and "[".
func opensCommand(s string) bool {
	if !strings.HasPrefix(s, "##") {
		return false
	}
	for i := 2; i < len(s) && i < 35; i++ {
		switch c := s[i] | 0x20; {
		case s[i] == '[':
			return true
		case c < 'a' || c > 'z':
			return false
		}
	}
	return false
}

// acts reports whether a rune does something other than show itself: controls, format
// characters (bidirectional overrides, zero-width, tags), line and paragraph separators,
// surrogates, private use, and every space but the plain one.
func acts(r rune) bool {
	return r != ' ' && (!unicode.IsPrint(r) || invisible(r))
}

// invisible lists what unicode.IsPrint lets through although nobody sees it.
func invisible(r rune) bool {
	switch {
	case r >= 0xFE00 && r <= 0xFE0F, r >= 0xE0100 && r <= 0xE01EF: // variation selectors
		return true
	case r == 0x034F, r == 0x115F, r == 0x1160, r == 0x17B4, r == 0x17B5, r == 0x3164, r == 0xFFA0, r == 0x2800:
		return true
	}
	return false
}

func escapeRune(r rune) string {
	switch r {
	case '\n':
		return `\n`
	case '\r':
		return `\r`
	case '\t':
		return `\t`
	}
	if r < 0x100 {
		return fmt.Sprintf(`\x%02x`, r)
	}
	if r < 0x10000 {
		return fmt.Sprintf(`\u%04x`, r)
	}
	return fmt.Sprintf(`\U%08x`, r)
}
