package git

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"verdict"
)

func TestSignatureParts(t *testing.T) {
	at := time.Unix(1700000000, 0).UTC()
	for line, want := range map[string]Signature{
		"Ada <ada@acme.example> 1700000000 +0100":    {"Ada", "ada@acme.example", at},
		"A <B> C <c@acme.example> 1700000000 +0000":  {"A", "B> C <c@acme.example", at},
		"<only@acme.example> 1700000000 +0000":       {"", "only@acme.example", at},
		"No mail 1700000000":                         {Name: "No mail 1700000000"},
		"Ada <a@b> 99999999999999999999 +0000":       {Name: "Ada", Email: "a@b"},
		"Ada <a@b> -5 +0000":                         {Name: "Ada", Email: "a@b"},
		"":                                           {},
		"Lat\xefn <l@acme.example> 1700000000 +0000": {"Lat\uFFFDn", "l@acme.example", at},
	} {
		if got := parseSignature(line); got != want {
			t.Errorf("%q gave %+v, want %+v", line, got, want)
		}
	}
}

func FuzzParse(f *testing.F) {
	id := strings.Repeat("a", 40)
	f.Add([]byte("tree " + id + "\nparent " + id + "\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\ngpgsig -----\n x\n\nmessage"))
	f.Add([]byte("H 100644 " + id + " 0\ta b\x00? free\x00"))
	f.Add([]byte("100644 blob " + id + "\tname\x00"))
	f.Add([]byte("1 .M N... 100644 100644 100644 " + id + " " + id + " na me\x00? x\x00u UU N... 1 2 3 4 a b c path\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, err := parseCommit(id, b); err == nil {
			if _, err := verdict.ParseDigest(string(c.Tree)); err != nil || !utf8.ValidString(c.Message+c.Author.Name+c.Author.Email) {
				t.Errorf("a commit was accepted with tree %q, message %q", c.Tree, c.Message)
			}
		}
		for _, parse := range []func([]byte) ([]Entry, error){parseFiles, parseTree} {
			entries, err := parse(b)
			for _, e := range entries {
				if err == nil && e.Path == "" {
					t.Errorf("an entry without a path: %+v", e)
				}
			}
		}
		if s, err := parseStatus(b); err == nil && len(b) > 0 && b[0] != 0 && s.Clean() {
			t.Errorf("%q reads as a clean tree", b)
		}
		got := Address(string(b))
		_, rest, _ := strings.Cut(got, "://")
		host, _, _ := strings.Cut(rest, "/")
		if user, _, found := strings.Cut(host, "@"); found && user != "git" || strings.ContainsAny(got, "\n\x1b") {
			t.Errorf("%q became %q", b, got)
		}
	})
}
