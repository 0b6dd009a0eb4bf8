package report

import (
	"cmp"
	"fmt"
	"strings"

	"verdict"
)

// MarkdownLimit is the size of a Markdown report in bytes. GitHub's step summary takes
// 1 MiB for all that a step writes.
const MarkdownLimit = 900_000

// markdownText makes foreign text show itself in Markdown, on one line. Every ASCII
// punctuation mark becomes an entity, which Markdown never reads as structure. The
// services look for @people, #issues and addresses once more in the finished page, so a
// zero-width space (also an entity) stands behind what starts one.
func markdownText(s string) string {
	var b strings.Builder
	s = fit(s, 2000)
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 0x80, c == ' ', c == ',', '0' <= c && c <= '9', 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
			b.WriteByte(c)
		case strings.IndexByte("@#!$%~&^:", c) >= 0 && i+1 < len(s) && s[i+1] != ' ':
			fmt.Fprintf(&b, "&#%d;&#8203;", c)
		case c == '-' && i >= 2 && strings.EqualFold(s[i-2:i], "gh"): // GH-12 is an issue
			b.WriteString("-&#8203;")
		case c == '-':
			b.WriteByte(c)
		default:
			fmt.Fprintf(&b, "&#%d;", c)
		}
	}
	return b.String()
}

// markdownCode shows foreign text as code. HTML's element is used because a backquote
// inside cannot end it, and services look for nothing in it.
func markdownCode(s string) string {
	var b strings.Builder
	s = fit(s, 1000)
	b.WriteString("<code>")
	for i := range len(s) {
		c := s[i]
		if c >= 0x80 || c == ' ' || '0' <= c && c <= '9' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "&#%d;", c)
		}
	}
	return b.String() + "</code>"
}

// sheet builds Markdown of bounded size: a part is written whole or left out, and what
// was left out is said at the end.
type sheet struct {
	strings.Builder
	left int // bytes
	cut  int // parts left out
}

// put writes a part if it fits.
func (s *sheet) put(part string) bool {
	if len(part) > s.left {
		s.cut++
		return false
	}
	s.left -= len(part)
	s.WriteString(part)
	return true
}

const markdownCut = "\n> ⚠️ **%s not shown here**: the page has its limit. `verdict why` and `-o json` have everything.\n"

// markdown renders r in at most limit bytes.
func markdown(r Run, limit int) string {
	s := &sheet{left: limit - len(markdownCut) - 40}
	s.put(r.markdownHead())
	found := map[*verdict.Reason][]finding{}
	for _, f := range r.findings() {
		found[f.reason] = append(found[f.reason], f)
	}
	for i := range r.Decisions {
		r.markdownPoint(s, &r.Decisions[i], found)
	}
	if len(r.Decisions) == 0 {
		for _, f := range r.faults() {
			s.put(markdownFault(f.Fault))
		}
	}
	r.markdownChecked(s)
	if s.cut > 0 {
		fmt.Fprintf(&s.Builder, markdownCut, count(s.cut, "part is", "parts are"))
	}
	return s.String()
}

// markdownMark is a symbol that reads in colour; the words beside it say the same.
func markdownMark(a answer) string {
	switch a.mark {
	case "✓":
		return "✅"
	case "✗":
		return "❌"
	case "?":
		return "❓"
	case "!":
		return "⚠️"
	}
	return "➖"
}

func (r Run) markdownHead() string {
	var b strings.Builder
	h := r.headline()
	fmt.Fprintf(&b, "## %s Verdict: %s\n\n", markdownMark(h), lower(h.words))
	if len(r.Decisions) > 0 {
		fmt.Fprintf(&b, "%s\n\n", markdownCode(subjectText(r.Decisions[0].Subject)))
	}
	if r.ReportOnly && r.Exit() != 0 && r.Exit() != 1 {
		fmt.Fprintf(&b, "> ⚠️ **Report only**: the exit code is 0 instead of %d; the recorded outcome stands.\n\n", r.Exit())
	}
	for _, n := range r.Notes {
		fmt.Fprintf(&b, "> %s\n\n", markdownText(n))
	}
	if len(r.Decisions)+len(r.NotBuilt) > 0 {
		b.WriteString("| | point | answer | decision |\n|---|---|---|---|\n")
	}
	for _, d := range r.Decisions {
		a := answerOf(d, r.nothing(d))
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", markdownMark(a), markdownCode(d.Point), markdownText(a.words+tally(d)), markdownCode(shortID(d.ID)))
	}
	for _, id := range r.NotBuilt {
		fmt.Fprintf(&b, "| ➖ | %s | not built yet, so not asked | |\n", markdownCode(id))
	}
	return b.String()
}

func (r Run) markdownPoint(s *sheet, d *verdict.Decision, found map[*verdict.Reason][]finding) {
	if len(d.Reasons) == 0 && len(d.Errors) == 0 && d.Outcome == verdict.Allow {
		return
	}
	s.put(fmt.Sprintf("\n### %s %s\n", markdownCode(d.Point), markdownText(d.Question)))
	for j := range d.Reasons {
		markdownReason(s, d, &d.Reasons[j], found[&d.Reasons[j]])
	}
	for _, f := range r.faults() {
		if f.decision == d {
			s.put(markdownFault(f.Fault))
		}
	}
}

func markdownReason(s *sheet, d *verdict.Decision, r *verdict.Reason, fs []finding) {
	var b strings.Builder
	mark := "❌"
	if weightOf(d, r) != stops {
		mark = "⚠️"
	}
	fmt.Fprintf(&b, "\n%s **%s** (%s, %s)", mark, markdownText(cmp.Or(r.Title, r.Rule)), markdownCode(r.Rule), markdownText(severityWord(r.Severity)))
	if r.Message != "" && r.Message != r.Title {
		fmt.Fprintf(&b, "<br>%s", markdownText(r.Message))
	}
	if t := standingText(r, d); t != "" {
		fmt.Fprintf(&b, "<br>%s", markdownText(t))
	}
	if r.Expected != "" || r.Observed != "" {
		fmt.Fprintf(&b, "<br>Expected %s, observed %s.", markdownCode(cmp.Or(r.Expected, "nothing that the rule names")), markdownCode(cmp.Or(r.Observed, "unknown")))
	}
	if r.Remediation != "" {
		fmt.Fprintf(&b, "<br>**Fix:** %s", markdownText(r.Remediation))
	}
	if r.Owner != "" {
		fmt.Fprintf(&b, "<br>Owner: %s", markdownCode(r.Owner))
	}
	b.WriteString("\n")
	if !s.put(b.String()) {
		return
	}
	markdownItems(s, r, fs)
}

func markdownItems(s *sheet, r *verdict.Reason, fs []finding) {
	if len(r.Items) == 0 {
		return
	}
	if !s.put("\n| severity | where | what | fix |\n|---|---|---|---|\n") {
		return
	}
	for _, f := range fs {
		fix := "as above"
		if f.item.Fix != "" && f.item.Fix != r.Remediation {
			fix = markdownText(f.item.Fix)
		}
		if f.item.Accepted != "" {
			fix = "accepted by " + markdownCode(f.item.Accepted)
		}
		where := "–"
		if p := f.place(); p != "" {
			where = markdownCode(p)
		}
		s.put(fmt.Sprintf("| %s | %s | %s | %s |\n", markdownText(severityWord(f.severity)), where, markdownCode(f.message()), fix))
	}
}

func markdownFault(f verdict.Fault) string {
	return fmt.Sprintf("\n❓ **Could not decide:** %s (%s)<br>**Fix:** %s\n", markdownText(f.What), markdownCode(join(f.Code, f.Rule)), markdownText(f.Remedy))
}

func (r Run) markdownChecked(s *sheet) {
	if len(r.Reports) == 0 {
		return
	}
	s.put("\n**What was checked**\n\n| | check | result | scope | with |\n|---|---|---|---|---|\n")
	for _, c := range r.Reports {
		a := checkState(c)
		s.put(fmt.Sprintf("| %s | %s | %s | %s | %s |\n", markdownMark(a), markdownCode(c.Check), markdownText(a.words), markdownText(scopeText(c)), markdownText(sourceText(c, r))))
	}
	for _, c := range r.Reports {
		for _, n := range blocking(c) {
			what := "could not judge all"
			if n.Path != "" {
				what = "did not read " + markdownCode(n.Path)
			}
			s.put(fmt.Sprintf("\n❓ %s %s: %s\n", markdownCode(c.Check), what, markdownText(n.Reason)))
		}
	}
}
