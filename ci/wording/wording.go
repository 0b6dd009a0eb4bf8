// Package wording is how checks put into words what they leave open, and how they show text
// that others wrote.
package wording

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"verdict"
)

// MaxNotChecked bounds how many gaps a report lists.
const MaxNotChecked = 2_000

// Open is a gap that leaves the check incomplete.
func Open(p, format string, args ...any) verdict.NotChecked {
	return verdict.NotChecked{Path: Shown(p), Reason: fmt.Sprintf(format, args...), Blocks: true}
}

// Aside is a gap by design: told, and no reason to doubt the rest.
func Aside(p, format string, args ...any) verdict.NotChecked {
	n := Open(p, format, args...)
	n.Blocks = false
	return n
}

// Shown makes a path or other text fit for a document: bytes that are no UTF-8 become \xNN.
func Shown(p string) string {
	if utf8.ValidString(p) {
		return p
	}
	var b strings.Builder
	for len(p) > 0 {
		r, n := utf8.DecodeRuneInString(p)
		if r == utf8.RuneError && n == 1 {
			fmt.Fprintf(&b, `\x%02x`, p[0])
		} else {
			b.WriteString(p[:n])
		}
		p = p[n:]
	}
	return b.String()
}

// Count is a number with its noun, and the verb where one follows.
func Count[N int | int64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// Cut shortens a foreign text to so many bytes.
func Cut(s string, n int) string {
	if len(s) > n {
		return s[:n] + "…"
	}
	return s
}
