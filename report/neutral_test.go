package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func TestNeutralShowsWhatWouldAct(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"plain text stays", "config/prod.env:3 holds a key", "config/prod.env:3 holds a key"},
		{"letters of all languages stay", "übung 密码 пароль 🔑", "übung 密码 пароль 🔑"},
		{"a new line cannot start a line of its own", "a\n::error::x", `a\n\x3a:error::x`},
		{"a carriage return cannot overwrite", "a\rb", `a\rb`},
		{"a tab keeps no column", "a\tb", `a\tb`},
		{"an escape sequence is shown", "\x1b[2Jx", `\x1b[2Jx`},
		{"the one-byte form of it too", "\u009b31m", `\x9b31m`},
		{"delete is shown", "\x7f", `\x7f`},
		{"text cannot run backwards", "\u202egnp.exe", `\u202egnp.exe`},
		{"isolates are shown", "a\u2066b\u2069", `a\u2066b\u2069`},
		{"what is invisible is shown", "a\u200bb\ufeff", `a\u200bb\ufeff`},
		{"tags of the supplementary plane are shown", "\U000e0041", `\U000e0041`},
		{"variation selectors are shown", "a\ufe0f", `a\ufe0f`},
		{"a line separator is shown", "a\u2028b", `a\u2028b`},
		{"other spaces are shown", "a\u00a0b", `a\xa0b`},
		{"bytes that are not UTF-8 are shown", "a\xff\xfeb", `a\xff\xfeb`},
		{"GitHub's command at the start", "::set-output name=x::y", `\x3a:set-output name=x::y`},
		{"GitHub's command after spaces, which it trims", "  ::error::x", `  \x3a:error::x`},
		{"a scope inside a word stays", "std::vector<int>", "std::vector<int>"},
		{"Azure's command anywhere", "a ##vso[task.complete]b", `a \x23#vso[task.complete]b`},
		{"GitHub's older command anywhere", "a##[group]b", `a\x23#[group]b`},
		{"a heading stays", "## Heading [x]", "## Heading [x]"},
		{"three of them are no way around", "###vso[x", `#\x23#vso[x`},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := Neutral(c.in); got != c.want {
				t.Errorf("Neutral(%q) = %q, want %q", c.in, got, c.want)
			}
		})
	}
}

// acting says what in a text would act on a terminal or pipeline, or "".
func acting(s string) string {
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			return "a byte that is not UTF-8"
		case r != '\n' && r != ' ' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Zs, unicode.Co, unicode.Cs)):
			return "the rune " + escapeRune(r)
		case opensCommand(s[i:]):
			return "a command of a pipeline: " + s[i:min(i+20, len(s))]
		}
		i += n
	}
	for line := range strings.Lines(s) {
		if strings.HasPrefix(strings.TrimSpace(line), "::") {
			return "a line that is a command: " + line
		}
	}
	return ""
}

func TestNeutralTextNeverActs(t *testing.T) {
	nasty := rapid.SampledFrom([]string{"::", ":", "##", "#", "##vso[", "##[", "[", "\n", "\r", " ", "\t", "\x1b[", "\u009b", "\u202e", "\xff", "\x00", "error", "é", "\u2028", "\u200b"})
	rapid.Check(t, func(t *rapid.T) {
		s := strings.Join(rapid.SliceOf(rapid.OneOf(nasty, rapid.String())).Draw(t, "parts"), "")
		checkNeutral(t, s)
	})
}

func FuzzNeutral(f *testing.F) {
	for _, s := range []string{hostileWords, "##abcdefghijklmnopqrstuvwxyzabcdefg[x", "::", " :: ", ":::", "#####[", "\xf0\x9f"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkNeutral(t, s) })
}

func checkNeutral(t interface {
	Fatalf(string, ...any)
}, s string) {
	out := Neutral(s)
	if why := acting(out); why != "" {
		t.Fatalf("Neutral(%q) = %q holds %s", s, out, why)
	}
	if strings.Contains(out, "\n") {
		t.Fatalf("Neutral(%q) has more than one line", s)
	}
	if again := Neutral(out); again != out {
		t.Fatalf("Neutral is not idempotent: %q became %q", out, again)
	}
	for _, wrapped := range []string{Wrap(out, 20, "  "), Wrap(out, 1, "")} { // wrapping starts lines with words from inside
		if why := acting(wrapped); why != "" {
			t.Fatalf("wrapped, %q holds %s", wrapped, why)
		}
	}
	for _, m := range []string{markdownText(s), markdownCode(s)} {
		if why := acting(m); why != "" {
			t.Fatalf("as Markdown, %q holds %s", m, why)
		}
	}
	if c := Cut(out, 30); acting(c) != "" || columnsOf(c) > 30 {
		t.Fatalf("cut, %q holds %s, %d columns", c, acting(c), columnsOf(c))
	}
}
