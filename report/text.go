package report

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// page builds text for a terminal. Every foreign word goes through Neutral on its way.
type page struct {
	strings.Builder
	Style
}

func (p *page) line(s string) { p.WriteString(strings.TrimRight(s, " ") + "\n") }

// gap is an empty line between parts, none at the top.
func (p *page) gap() {
	if p.Len() > 0 {
		p.WriteByte('\n')
	}
}

// heading starts a part.
func (p *page) heading(s string) {
	p.gap()
	p.line(p.paint(strong, s))
}

// under writes s wrapped behind a lead: "    fix: …".
func (p *page) under(lead, s string) {
	if s != "" {
		p.line(hang(lead, s, p.width()))
	}
}

// table writes rows; see Table.
func (p *page) table(rows [][]string, indent string) {
	p.WriteString(Table(rows, p.width(), indent))
}

// runText is the answer first, then why, then what it rests on, then what to do.
func runText(r Run) string {
	p := &page{Style: r.Style}
	r.textHead(p)
	all := r.findings()
	show := shown(all, r.Style.All)
	hidden := 0
	for _, enforced := range []bool{true, false} { // what stops the change comes before what would have
		for i := range r.Decisions {
			if d := &r.Decisions[i]; (d.Enforced != verdict.Allow) == enforced {
				hidden += r.textPoint(p, d, show)
			}
		}
	}
	if len(r.Decisions) == 0 {
		for _, f := range r.faults() {
			p.gap()
			textFault(p, f.Fault)
		}
	}
	r.textChecked(p, false)
	r.Mended.text(p)
	r.textNext(p, hidden)
	return p.String()
}

func (r Run) textHead(p *page) {
	h := r.headline()
	subject := ""
	if len(r.Decisions) > 0 {
		subject = subjectText(r.Decisions[0].Subject)
		if s := r.Decisions[0].Service; s != "" && s != r.Decisions[0].Subject.Name {
			subject += ", service " + word(s)
		}
	}
	p.line(hang(p.paint(h.code, h.mark+" "+h.words)+"  ", subject, p.width()))
	if r.ReportOnly && r.Exit() != 0 && r.Exit() != 1 {
		p.line(p.paint(care, fmt.Sprintf("! REPORT ONLY: the exit code is 0 instead of %d; the recorded outcome stands", r.Exit())))
	}
	for _, n := range r.Notes {
		p.under("  ", fit(n, 1000))
	}
	if len(r.Decisions) == 0 {
		return
	}
	p.gap()
	wide := 0
	for _, d := range r.Decisions {
		wide = max(wide, columnsOf(name(d.Point)))
	}
	for _, d := range r.Decisions {
		a := answerOf(d, r.nothing(d))
		id := name(d.Point)
		lead := "  " + p.paint(a.code, a.mark) + " " + id + strings.Repeat(" ", wide-columnsOf(id)+2)
		p.line(hang(lead, p.paint(a.code, a.words)+tally(d), p.width()))
	}
	if len(r.NotBuilt) > 0 {
		ids := make([]string, len(r.NotBuilt))
		for i, id := range r.NotBuilt {
			ids[i] = name(id)
		}
		p.under("  – not built yet, so not asked: ", strings.Join(ids, ", "))
	}
}

// tally counts what a decision holds: what counts, what does not, what is unknown.
func tally(d verdict.Decision) string {
	if d.Enforced == verdict.Allow && unknown(d) {
		var lacking []string
		for _, r := range d.Reasons {
			for _, i := range r.Items {
				lacking = append(lacking, word(i.Key))
			}
		}
		return ": " + strings.Join(lacking, ", ")
	}
	counts, rest, notes, lifted := 0, 0, 0, 0
	for i := range d.Reasons {
		r := &d.Reasons[i]
		n := max(1, len(r.Items))
		if r.Standing == verdict.Counts && r.Effect != verdict.EffectNote {
			waiting := 0
			for _, i := range r.Items {
				if !i.From.IsZero() {
					waiting++
				}
			}
			counts, rest = counts+n-waiting, rest+waiting
		} else if r.Standing == verdict.Counts {
			notes += n
		} else if r.Standing == verdict.Accepted || r.Standing == verdict.Approved {
			lifted += n
		} else {
			rest += n
		}
	}
	var parts []string
	if counts > 0 {
		parts = append(parts, count(counts, "finding", "findings"))
	}
	if rest > 0 {
		parts = append(parts, count(rest, "that does", "that do")+" not count yet or any more")
	}
	if lifted > 0 && d.Outcome != verdict.Allow { // an allow itself says on whose word it rests
		parts = append(parts, count(lifted, "finding", "findings")+" let in by persons")
	}
	if notes > 0 {
		parts = append(parts, count(notes, "note", "notes"))
	}
	if len(d.Errors) > 0 {
		parts = append(parts, count(len(d.Errors), "thing unknown", "things unknown"))
	}
	if len(parts) == 0 {
		return ""
	}
	return ": " + strings.Join(parts, ", ")
}

// textPoint explains one decision that is more than a plain yes. It returns how many
// findings it did not show.
func (r Run) textPoint(p *page, d *verdict.Decision, show map[*verdict.Reason][]finding) int {
	if len(d.Reasons) == 0 && len(d.Errors) == 0 && d.Outcome == verdict.Allow {
		return 0
	}
	p.gap()
	p.line(hang(p.paint(strong, name(d.Point))+"  ", fit(d.Question, 300), p.width()))
	if s := r.Decisions[0].Subject; s.Digest != d.Subject.Digest {
		p.under("  about ", subjectText(d.Subject))
	}
	hidden := 0
	for j := range d.Reasons {
		p.gap()
		hidden += textReason(p, d, &d.Reasons[j], show[&d.Reasons[j]])
		textRemedy(p, d, &d.Reasons[j])
	}
	for _, f := range r.faults() {
		if f.decision == d {
			p.gap()
			textFault(p, f.Fault)
		}
	}
	persons(p, d)
	return hidden
}

// textReason says what a rule found. It returns how many findings it did not show.
func textReason(p *page, d *verdict.Decision, r *verdict.Reason, show []finding) int {
	mark, code := "✗", bad
	if weightOf(d, r) != stops {
		mark, code = "!", care
	}
	title := fit(cmp.Or(r.Title, r.Rule), 300)
	p.line(hang("  "+p.paint(code, mark)+" ", p.paint(strong, title)+p.paint(dim, fmt.Sprintf(" (%s, %s)", word(r.Rule), severityWord(r.Severity))), p.width()))
	if said := len(show) == 1 && show[0].item.Message == r.Message; r.Message != "" && r.Message != r.Title && !said {
		p.under("    ", fit(r.Message, 400))
	}
	p.under("    ", standingText(r, d))
	for _, f := range show {
		if f.item.Key != "" || f.item.Message != "" || f.item.Path != "" {
			textItem(p, f, r)
		}
	}
	hidden := max(0, max(1, len(r.Items))-len(show))
	if hidden > 0 {
		p.line(fmt.Sprintf("    … and %s", count(hidden, "more like these", "more like these")))
	}
	if weightOf(d, r) != notes {
		p.under("    ", expectation(r))
	}
	return hidden
}

// textRemedy says what to do about a reason, and whom to ask.
func textRemedy(p *page, d *verdict.Decision, r *verdict.Reason) {
	if weightOf(d, r) == notes {
		return // nobody has to act on it
	}
	p.under("    "+p.paint(strong, "fix:")+" ", remedy(r.Remediation))
	p.under("    owner: ", word(r.Owner))
	p.under("    see: ", word(r.Link))
}

func textItem(p *page, f finding, r *verdict.Reason) {
	lead := fmt.Sprintf("    %-8s  ", severityWord(f.severity))
	pad := strings.Repeat(" ", len(lead))
	place, message := fit(f.place(), 400), fit(cmp.Or(f.item.Message, f.item.Key), 400)
	switch {
	case place == "":
		p.under(lead, message)
	case columnsOf(lead+place+"  "+message) <= p.width():
		p.line(lead + place + "  " + message)
	default: // a path is never cut: it is there to be opened
		p.line(lead + place)
		p.under(pad, message)
	}
	if f.item.Accepted != "" {
		p.under(pad+"accepted by ", word(f.item.Accepted))
	}
	p.under(pad, oldText(f.item))
	if f.item.Fix != "" && f.item.Fix != r.Remediation {
		p.under(pad+"fix: ", remedy(f.item.Fix))
	}
}

// oldText says of an item that was there before the change what follows from that.
func oldText(i verdict.Item) string {
	switch {
	case !i.Old:
		return ""
	case i.From.IsZero():
		return "old: it was there before this change, and counts all the same"
	}
	return "old: it was there before this change, and counts from " + day(i.From) + " on"
}

// expectation is what the rule saw and what it wants.
func expectation(r *verdict.Reason) string {
	if r.Expected == "" && r.Observed == "" {
		return ""
	}
	return "observed " + fit(cmp.Or(r.Observed, "nothing that the rule names"), 300) + "; expected " + fit(cmp.Or(r.Expected, "what the rule does not name"), 300)
}

// standingText says why a failing reason does not count, or counts less.
func standingText(r *verdict.Reason, d *verdict.Decision) string {
	by := make([]string, len(r.By))
	for i, b := range r.By {
		by[i] = word(b)
	}
	who := strings.Join(by, ", ")
	switch r.Standing {
	case verdict.Announced:
		return "Announced: counts from " + day(r.EffectiveOn) + " on."
	case verdict.Accepted:
		return "Accepted risk: " + cmp.Or(who, "by an exception that is not named") + "."
	case verdict.Approved:
		return "Approved: " + cmp.Or(who, "by an approval that is not named") + "."
	}
	if r.Effect == verdict.EffectNote {
		return "A note: it does not count against the change."
	}
	if r.Effect == verdict.EffectReview && d.Enforced != verdict.Allow {
		return "A person has to approve this."
	}
	return ""
}

func severityWord(s verdict.Severity) string { return cmp.Or(word(string(s)), "unknown") }

func textFault(p *page, f verdict.Fault) {
	p.line(hang("  "+p.paint(bad, "?")+" ", p.paint(strong, "Could not decide: ")+fit(f.What, 400)+p.paint(dim, " ("+join(word(f.Code), word(f.Rule))+")"), p.width()))
	p.under("    "+p.paint(strong, "fix:")+" ", remedy(f.Remedy))
}

// textChecked says what the answer rests on, and loudly what was not read. What was left
// out by design is named too: the files always, and what holds for the whole tree where
// somebody asks why.
func (r Run) textChecked(p *page, whole bool) {
	if len(r.Reports) == 0 {
		return
	}
	p.heading("What was checked")
	wide := 0
	for _, c := range r.Reports {
		wide = max(wide, columnsOf(name(c.Check)))
	}
	for _, c := range r.Reports {
		id := name(c.Check)
		lead := "  " + id + strings.Repeat(" ", wide-columnsOf(id)+2)
		pad := strings.Repeat(" ", columnsOf(lead))
		state := checkState(c)
		p.line(hang(lead, p.paint(state.code, state.words), p.width()))
		p.under(pad, scopeText(c)+"; "+sourceText(c, r))
		for i, n := range blocking(c) {
			if i == 5 && !r.Style.All {
				p.under(pad, fmt.Sprintf("… and %s not read", number(len(blocking(c))-i)))
				break
			}
			p.under(pad+p.paint(bad, "not read:")+" ", fit(place(n), 400))
		}
		aside, most := byDesign(c, whole), 5
		if whole {
			most = 50
		}
		for i, n := range aside {
			if i == most {
				p.under(pad, fmt.Sprintf("… and %s left out", number(len(aside)-i)))
				break
			}
			p.under(pad+"left out: ", fit(place(n), 400))
		}
	}
}

// checkState says whether a check can be relied on. Only a complete one that had
// something to judge is a plain yes or no.
func checkState(c verdict.Report) answer {
	found := "found nothing"
	if len(c.Hits) > 0 {
		found = "found " + number(len(c.Hits))
	}
	if c.Ignored > 0 {
		found += fmt.Sprintf(" (%s ignored as false)", number(c.Ignored))
	}
	switch {
	case !c.Complete && len(blocking(c)) > 0:
		return answer{"?", fmt.Sprintf("INCOMPLETE: %s not read; %s in the rest", number(len(blocking(c))), found), bad}
	case !c.Complete:
		return answer{"?", "INCOMPLETE: the check did not finish; " + found + " as far as it came", bad}
	case nothingToJudge(c) && c.Check == "secrets":
		return answer{"–", "nothing to judge: there is no file that it searches", care}
	case nothingToJudge(c):
		return answer{"–", "nothing to judge: there is no file that it could read", care}
	case len(c.Hits) > 0:
		return answer{"✗", "complete, " + found, plainText}
	}
	return answer{"✓", "complete, " + found, plainText}
}

// byDesign lists what a check does not look at, of the whole tree or single files alone.
func byDesign(c verdict.Report, whole bool) []verdict.NotChecked {
	return slices.DeleteFunc(slices.Clone(c.NotChecked), func(n verdict.NotChecked) bool { return n.Blocks || !whole && n.Path == "" })
}

func blocking(c verdict.Report) []verdict.NotChecked {
	return slices.DeleteFunc(slices.Clone(c.NotChecked), func(n verdict.NotChecked) bool { return !n.Blocks })
}

// scopeText says how much a check read.
func scopeText(c verdict.Report) string {
	s := c.Scope
	parts := []string{count(s.Files, "file", "files") + ", " + size(s.Bytes)}
	if c.Source != "" { // what it counts differs from tool to tool
		parts = []string{"by " + word(c.Source)}
	}
	if s.Inputs > 0 && c.Source != "" {
		parts = append(parts, count(s.Inputs, "thing", "things")+" looked at")
	} else if s.Inputs > 0 && s.Inputs != s.Files {
		parts = append(parts, number(s.Inputs)+" of them relevant")
	}
	if s.Components > 0 {
		parts = append(parts, count(s.Components, "component", "components"))
	}
	if h := c.History; h != nil {
		parts = append(parts, fmt.Sprintf("history: %s, %s searched and %s known to be clean", count(h.Commits, "commit", "commits"), count(h.Contents, "content", "contents"), number(h.Remembered)))
	}
	if n := len(c.NotChecked) - len(blocking(c)); n > 0 {
		parts = append(parts, number(n)+" left out by design")
	}
	if s.Path != "" && s.Path != "." {
		parts = append(parts, "under "+fit(s.Path, 200))
	}
	return strings.Join(parts, "; ")
}

// sourceText says with what a check worked, and how old its data is.
func sourceText(c verdict.Report, r Run) string {
	out := join(word(c.Tool.Name), word(c.Tool.Version))
	if c.Tool.Name == "" {
		out = "an unnamed tool"
	}
	db := c.Database
	if db == nil {
		return out
	}
	out += "; " + cmp.Or(word(db.Name), "unnamed data")
	if db.Entries > 0 || c.Source == "" {
		out += " with " + count(db.Entries, "entry", "entries")
	}
	if db.At.IsZero() {
		return out + ", of an unknown date"
	}
	return out + " of " + join(day(db.At), parens(age(db.At, r.At)))
}

func parens(s string) string {
	if s == "" {
		return ""
	}
	return "(" + s + ")"
}

// textNext ends with the commands that lead on.
func (r Run) textNext(p *page, hidden int) {
	var rows [][]string
	command := cmp.Or(word(r.Command), "verdict ci")
	if hidden > 0 {
		rows = append(rows, []string{command + " -o json", "all findings, " + count(hidden, "that is", "of which are") + " not shown here"})
	}
	for _, held := range []bool{true, false} { // in the order in which they were explained above
		for _, d := range r.Decisions {
			if d.Outcome != verdict.Allow && d.ID != "" && (d.Enforced != verdict.Allow) == held {
				rows = append(rows, []string{"verdict why " + shortID(d.ID), "the whole explanation of " + name(d.Point)})
			}
		}
	}
	if len(rows)+len(r.Next) == 0 {
		return
	}
	p.heading("Next")
	p.table(rows, "  ")
	for _, n := range r.Next { // beside a long command there is no room for a reason
		p.under("  ", fit(n.Why, 300)+":")
		p.line("    " + fit(n.Command, 2000))
	}
}

// place is what was not read, and why; what concerns the whole tree names no path.
func place(n verdict.NotChecked) string {
	if n.Path == "" || n.Path == "." {
		return n.Reason
	}
	return n.Path + ": " + n.Reason
}
