package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Style is how text should look where it goes.
type Style struct {
	Colour bool
	Width  int // columns; 0 is 80
	// All shows every finding where text would show the worst ten, and every decision whole
	// where text would tell a plain yes in a line.
	All bool
}

func (s Style) width() int {
	if s.Width == 0 {
		return 80
	}
	return max(s.Width, 40)
}

// The colours of a terminal by what they mean. Meaning never rests on colour alone.
const (
	plainText = ""
	strong    = "1"
	dim       = "2"
	bad       = "1;31"
	good      = "32"
	care      = "33"
)

func (s Style) paint(code, text string) string {
	if !s.Colour || code == plainText || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Strong is text that stands out: a heading.
func (s Style) Strong(text string) string { return s.paint(strong, text) }

// columnsOf is how many columns a terminal gives s: two for wide East Asian characters
// and pictures, none for marks that combine. Escape sequences of ours count nothing.
func columnsOf(s string) int {
	n := 0
	for i := 0; i < len(s); {
		if s[i] == 0x1b {
			if end := strings.IndexByte(s[i:], 'm'); end > 0 {
				i += end + 1
				continue
			}
		}
		r, size := utf8.DecodeRuneInString(s[i:])
		n += runeColumns(r)
		i += size
	}
	return n
}

func runeColumns(r rune) int {
	switch {
	case r < 0x300:
		return 1
	case unicode.In(r, unicode.Mn, unicode.Me):
		return 0
	case r >= 0x1100 && r <= 0x115F, r >= 0x2E80 && r <= 0xA4CF, r >= 0xAC00 && r <= 0xD7A3, r >= 0xF900 && r <= 0xFAFF,
		r >= 0xFE30 && r <= 0xFE6F, r >= 0xFF00 && r <= 0xFF60, r >= 0xFFE0 && r <= 0xFFE6, r >= 0x1F300 && r <= 0x1FAFF, r >= 0x20000 && r <= 0x3FFFD:
		return 2
	}
	return 1
}

// Cut shortens s to at most width columns, with an ellipsis where it cut.
func Cut(s string, width int) string {
	if columnsOf(s) <= width {
		return s
	}
	n, b := 0, strings.Builder{}
	for _, r := range s {
		if n += runeColumns(r); n > width-1 {
			break
		}
		b.WriteRune(r)
	}
	return b.String() + "…"
}

// Wrap breaks s into lines of at most width columns, each after indent, keeping the
// paragraphs that s has. A word that is longer than a line stands alone: breaking it
// would make a path or a command useless. There is no newline at the end.
func Wrap(s string, width int, indent string) string {
	var out []string
	for para := range strings.SplitSeq(s, "\n") {
		line, n := indent, 0
		for word := range strings.FieldsSeq(para) {
			w := columnsOf(word)
			if n > 0 && columnsOf(line)+1+w > width {
				out = append(out, line)
				line, n = indent, 0
			}
			if n > 0 {
				line += " "
			}
			line += word
			n++
		}
		out = append(out, strings.TrimRight(line, " "))
	}
	return strings.Join(out, "\n")
}

// hang wraps s behind a lead that only the first line has. A lead that takes most of
// the line does not push all of s to the right.
func hang(lead, s string, width int) string {
	if s == "" {
		return strings.TrimRight(lead, " ")
	}
	n := columnsOf(lead)
	if s == "" { // a line of nothing would follow a lead that is wide
		return lead
	}
	if n <= width*2/3 {
		pad := strings.Repeat(" ", n)
		return lead + strings.TrimPrefix(Wrap(s, width, pad), pad)
	}
	if n+columnsOf(s) <= width {
		return lead + s
	}
	return strings.TrimRight(lead, " ") + "\n" + Wrap(s, width, strings.Repeat(" ", 8))
}

// Table aligns rows in columns two spaces apart, each line after indent. The last column
// wraps within width; the others keep their form.
func Table(rows [][]string, width int, indent string) string {
	var widths []int
	for _, r := range rows {
		for i, cell := range r {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			if i < len(r)-1 {
				widths[i] = max(widths[i], columnsOf(cell))
			}
		}
	}
	var b strings.Builder
	for _, r := range rows {
		lead := indent
		for i, cell := range r[:max(len(r)-1, 0)] {
			lead += cell + strings.Repeat(" ", widths[i]-columnsOf(cell)+2)
		}
		last := ""
		if len(r) > 0 {
			last = r[len(r)-1]
		}
		b.WriteString(strings.TrimRight(hang(lead, last, width), " ") + "\n")
	}
	return b.String()
}
