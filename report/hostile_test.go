package report

import (
	"encoding/json"
	"encoding/xml"
	"io"
	"regexp"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"verdict"
)

// What a scanned repository can choose must not run a pipeline's command, move a
// terminal's cursor, or put a link on a page.
func TestHostileTextActsInNoFormat(t *testing.T) {
	for name, r := range cases() {
		for _, format := range Formats {
			for _, hot := range []Run{hostile(r), outlandish(r)} {
				t.Run(name+" as "+format, func(t *testing.T) {
					var b strings.Builder
					if err := Write(&b, format, hot); err != nil {
						t.Fatal(err)
					}
					out := b.String()
					if format == "markdown" { // the marks are ours
						out = strings.ReplaceAll(out, "⚠️", "!")
					}
					if why := acting(out); why != "" {
						t.Errorf("the output holds %s", why)
					}
				})
			}
		}
	}
}

// The same with words that nobody thought of.
func TestForeignTextActsInNoFormat(t *testing.T) {
	nasty := rapid.SampledFrom([]string{"::", "::error::", ":", "##", "#", "##vso[", "##[", "]", ";", "%0A", "%", "\n", "\r", " ", "\t", "\x1b[", "\u009b", "\u202e", "\xff", "\x00", "é", "\u2028", "\u200b", "]]>", "<!--", "|", "`", "@a", "verdict_abababababababababababababababab"})
	part := rapid.OneOf(nasty, rapid.String())
	all := []Run{cases()["mixed"], cases()["undecided"]}
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(part, 40, 40).Draw(t, "parts")
		n := 0
		words := func() string { n++; return parts[n%40] + parts[(n*7)%40] + parts[(n*11)%40] }
		r := foreign(all[rapid.IntRange(0, 1).Draw(t, "run")], words)
		for _, format := range Formats {
			var b strings.Builder
			if err := Write(&b, format, r); err != nil {
				t.Fatal(err)
			}
			if why := acting(strings.ReplaceAll(b.String(), "⚠️", "!")); why != "" {
				t.Fatalf("%s holds %s", format, why)
			}
		}
		for _, p := range []Pipeline{{Name: "github"}, {Name: "azure"}} {
			var b strings.Builder
			if err := p.Publish(&b, r, sameChance()); err != nil {
				t.Fatal(err)
			}
			for line := range strings.Lines(b.String()) {
				if p.Name == "github" && !githubLine.MatchString(line) || p.Name == "azure" && !azureLine.MatchString(line) {
					t.Fatalf("%s gets %q", p.Name, line)
				}
				if why := acting(strings.TrimLeft(line, "#:")); why != "" {
					t.Fatalf("%s gets %s", p.Name, why)
				}
			}
		}
	})
}

func TestHostileFailuresActInNoFormat(t *testing.T) {
	f := Failure{Code: verdict.CodeInvalid, What: hostileWords, Remedy: hostileWords, See: hostileWords, Exit: 1}
	for _, format := range Formats {
		var b strings.Builder
		if err := WriteFailure(&b, format, f, Style{}); err != nil {
			t.Fatal(err)
		}
		if why := acting(b.String()); why != "" {
			t.Errorf("%s holds %s", format, why)
		}
	}
}

// A map with three faults is three lines; a line that foreign text brings cannot pass
// for one of ours.
func TestAFailureKeepsItsLines(t *testing.T) {
	var b strings.Builder
	f := Failure{Code: verdict.CodeInvalid, What: "a.yaml:1: one\na.yaml:2: two\n::error::x\nverdict: all is well", Remedy: "mend them", Exit: 1}
	if err := WriteFailure(&b, "text", f, Style{}); err != nil {
		t.Fatal(err)
	}
	pad := strings.Repeat(" ", len("verdict: "))
	want := "verdict: a.yaml:1: one\n" + pad + "a.yaml:2: two\n" + pad + `\x3a:error::x` + "\n" + pad + "verdict: all is well\n  fix: mend them\n"
	if b.String() != want {
		t.Errorf("got\n%swant\n%s", b.String(), want)
	}
}

// mdMarkup is what of Markdown we write ourselves; foreign text may use none of it.
var mdMarkup = regexp.MustCompile(`</?code>|</?details>|</?summary>|<br>|\*\*[A-Z][^*<]*?:?\*\*|&#\d+;|\| *(?:---\|)+`)

func TestHostileMarkdownStaysText(t *testing.T) {
	for name, r := range cases() {
		out := mdMarkup.ReplaceAllString(markdown(hostile(r), MarkdownLimit), "")
		for _, bad := range []string{"<", ">", "[", "]", "`", "@", "://", "www.", "![", "\\"} {
			for line := range strings.Lines(out) {
				line = strings.TrimPrefix(line, ">") // our own notes
				if i := strings.Index(line, bad); i >= 0 {
					t.Errorf("%s: %q reached the page: …%q", name, bad, line[max(0, i-20):min(len(line), i+20)])
				}
			}
		}
	}
	for in, want := range map[string]string{
		"@octocat": "&#64;&#8203;octocat", "#12": "&#35;&#8203;12", "GH-12": "GH-&#8203;12", "https://x": "https&#58;&#8203;&#47;&#47;x",
		"a|b": "a&#124;b", "<b>": "&#60;b&#62;", "!3": "&#33;&#8203;3",
	} {
		if got := markdownText(in); got != want {
			t.Errorf("markdownText(%q) = %q, want %q", in, got, want)
		}
	}
	if got := markdownCode("`</code>"); got != "<code>&#96;&#60;&#47;code&#62;</code>" {
		t.Errorf("code can be left: %q", got)
	}
}

// A path or message in a machine's form is exact: neutral output must not change it.
func TestJSONKeepsTheExactText(t *testing.T) {
	r := hostile(cases()["blocked"])
	var b strings.Builder
	if err := Write(&b, "json", r); err != nil {
		t.Fatal(err)
	}
	var got document
	if err := json.Unmarshal([]byte(b.String()), &got); err != nil {
		t.Fatal(err)
	}
	want := strings.ToValidUTF8(r.Decisions[0].Reasons[0].Items[0].Path, "\ufffd")
	if got.Decisions[0].Reasons[0].Items[0].Path != want {
		t.Errorf("the path came back as %q, want %q", got.Decisions[0].Reasons[0].Items[0].Path, want)
	}
}

func TestHostileTextLeavesXMLWellFormed(t *testing.T) {
	for name, r := range cases() {
		var b strings.Builder
		if err := Write(&b, "junit", hostile(r)); err != nil {
			t.Fatal(err)
		}
		dec := xml.NewDecoder(strings.NewReader(b.String()))
		cases := 0
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if e, ok := tok.(xml.StartElement); ok && e.Name.Local == "testcase" {
				cases++
			}
		}
		if cases == 0 {
			t.Errorf("%s has no test case: an empty suite looks like a pass", name)
		}
	}
}

func TestHostileTextOfAnySizeIsBounded(t *testing.T) {
	r := cases()["blocked"]
	r = full(r)
	long := strings.Repeat("very long \x1b[2J", 100_000)
	for i := range r.Decisions[1].Reasons[0].Items {
		it := &r.Decisions[1].Reasons[0].Items[i]
		it.Message, it.Path, it.Fix = long, long, long
	}
	r.Decisions[1].Reasons[0].Message, r.Decisions[1].Question = long, long
	for _, format := range []string{"text", "markdown", "junit", "codequality"} {
		var b strings.Builder
		if err := Write(&b, format, r); err != nil {
			t.Fatal(err)
		}
		if b.Len() > 200_000 {
			t.Errorf("%s has %d bytes", format, b.Len())
		}
	}
}
