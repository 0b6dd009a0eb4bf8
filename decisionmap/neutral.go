package decisionmap

import (
	"strings"
	"unicode"
)

// oneLine makes text safe to print on one line of a terminal: what cannot be printed,
// orders to a terminal and line breaks among it, becomes a replacement character.
func oneLine(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c == '\n' || c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return '\uFFFD'
		}
		return c
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
