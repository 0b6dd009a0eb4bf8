package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"verdict"
)

// Explanation answers why: what was decided about what was asked, and what that rests
// on. It is the document verdict.why/v1.
type Explanation struct {
	Schema   string    `json:"schema"`
	Asked    string    `json:"asked"`    // what the person named
	Position int64     `json:"position"` // the log's size that the answer is of
	At       time.Time `json:"at"`       // when it was asked; ages are counted to it
	// Cases holds one decision each: what blocks first, and what a newer one replaced last;
	// among equals in the order given. Empty: nothing was decided, which is not allowed.
	Cases []Case   `json:"cases"`
	Notes []string `json:"notes"` // further facts that a reader must not miss
	// Chain leads from the commit to what runs, where there is more than what was asked.
	Chain *Chain `json:"chain,omitempty"`
}

// Case is one decision with everything that explains it.
type Case struct {
	Decision verdict.Decision `json:"decision"`
	Recorded verdict.Ref      `json:"recorded"` // where the decision itself is; Index -1 when it is not recorded
	Evidence []Evidence       `json:"evidence"`
	Reports  []verdict.Report `json:"reports"` // what the checks behind it read
	// By is who signed the decision, as in TrailNode.
	By string `json:"by"`
	// Replaced names the newer decision of the same point about the same subject; empty
	// when this one stands.
	Replaced string `json:"replaced"`
	// RestedOn is what people said that lifted its reasons.
	RestedOn Rest `json:"rested_on"`
	// Deployments used it as their promotion, the newest first.
	Deployments []Deployed `json:"deployments"`
	// Outcomes are stated of it although no deployment that uses it is.
	Outcomes []Aftermath `json:"outcomes"`
}

// Evidence is one statement that a decision rests on.
type Evidence struct {
	verdict.Ref
	State   verdict.State   `json:"state"`   // how it counted; empty is unknown
	Context verdict.Context `json:"context"` // what it says about its origin
	Summary string          `json:"summary"` // one line: the tool and what it covered
	By      string          `json:"by"`      // who signed it, as in TrailNode
	Foreign bool            `json:"foreign"` // signed by others, recorded through an ingestion statement
	Pruned  bool            `json:"pruned"`  // the body is gone at the end of its retention; the leaf stays
}

// Why writes the explanation as text or json: what was decided, why, on which evidence,
// what would make it pass, who owns it, and how to check it.
func Why(w io.Writer, format string, x Explanation, s Style) error {
	x.Schema = "verdict.why/v1"
	x.Cases = slices.Clone(x.Cases)
	slices.SortStableFunc(x.Cases, func(a, b Case) int { return cmp.Compare(a.urgency(), b.urgency()) })
	switch format {
	case "text":
		return writeText(w, whyText(x, s))
	case "json":
		return writeJSON(w, full(x))
	}
	return unknownFormat(format)
}

func whyText(x Explanation, s Style) string {
	p := &page{Style: s}
	if len(x.Cases) == 0 {
		p.line(hang(p.paint(care, "? NOT DECIDED")+"  ", "No decision about "+cmp.Or(word(x.Asked), "this")+fmt.Sprintf(" is among the first %s of the log.", count(x.Position, "entry", "entries")), p.width()))
		p.under("  ", "That is not a yes: nothing was asked, or it was recorded elsewhere.")
	}
	x.ended(p)
	for _, n := range x.Notes {
		p.under("! ", fit(n, 1000))
	}
	x.Chain.tell(p, x.At)
	left := 0
	for i := range x.Cases {
		c := &x.Cases[i]
		if len(x.Cases) > 1 && c.brief() && !s.All {
			left++
			continue
		}
		if i > 0 {
			p.gap()
			p.line(p.paint(dim, strings.Repeat("─", min(p.width(), 80))))
		}
		x.whyCase(p, c)
	}
	if left > 0 {
		p.gap()
		p.under("", count(left, "decision that is a plain yes, or was replaced, takes", "decisions that are a plain yes, or were replaced, take")+" a line above: verdict why ID tells the whole of one, --verbose of all.")
	}
	return p.String()
}

// endings are the ways in which a decision can end, in the order in which whoever asks
// why wants to read them.
var endings = []string{"denied", "could not decide", "needs approval", "let through by its mode", "allowed"}

// ending is the place among endings.
func (c Case) ending() int {
	switch d := c.Decision; {
	case d.Enforced == verdict.Allow && (d.Outcome == verdict.Allow || d.BreakGlass != ""):
		return 4
	case d.Enforced == verdict.Allow:
		return 3
	case d.Outcome == verdict.Deny:
		return 0
	case d.Outcome == verdict.Review:
		return 2
	}
	return 1
}

// urgency orders cases: one that was replaced explains nothing that holds now.
func (c Case) urgency() int {
	if c.Replaced != "" {
		return len(endings) + c.ending()
	}
	return c.ending()
}

// brief reports whether a line says all that matters of a case: it is a plain yes, or past.
func (c Case) brief() bool {
	d := c.Decision
	return c.Replaced != "" || c.ending() == len(endings)-1 && len(d.Reasons)+len(d.Errors) == 0
}

// ended says how several decisions ended: in one line, and in one for each of them. One that
// was replaced is not among the first.
func (x Explanation) ended(p *page) {
	if len(x.Cases) < 2 {
		return
	}
	var counts [5]int
	standing := 0
	for _, c := range x.Cases {
		if c.Replaced == "" {
			counts[c.ending()]++
			standing++
		}
	}
	var parts []string
	for i, n := range counts {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, endings[i]))
		}
	}
	p.under("", join(count(int64(standing), "decision:", "decisions:"), strings.Join(parts, ", ")))
	p.gap()
	points, ids := make([]string, len(x.Cases)), make([]string, len(x.Cases))
	wide, long := 0, 0
	for i, c := range x.Cases {
		points[i], ids[i] = join(name(c.Decision.Point), parens(word(c.Decision.Environment))), shortID(c.Decision.ID)
		wide, long = max(wide, columnsOf(points[i])), max(long, columnsOf(ids[i]))
	}
	for i := range x.Cases {
		c := &x.Cases[i]
		run, a := x.answered(c, p.Style)
		lead := fmt.Sprintf("  %s %s%s  %s%s  ", p.paint(a.code, a.mark), points[i], spaces(wide-columnsOf(points[i])), ids[i], spaces(long-columnsOf(ids[i])))
		words := p.paint(a.code, a.words) + tally(run.Decisions[0])
		if by := holding(&run.Decisions[0]); by != "" {
			words += ", by " + by
		}
		if c.Replaced != "" {
			words += ", replaced by " + shortID(c.Replaced)
		}
		p.line(hang(lead, words, p.width()))
	}
}

func spaces(n int) string { return strings.Repeat(" ", n) }

// holding names the rules that hold a decision back; those of missing evidence are told by what
// is missing.
func holding(d *verdict.Decision) string {
	var rules []string
	for _, r := range d.Reasons {
		if r.Standing == verdict.Counts && r.Effect != verdict.EffectNote && r.Rule != missing {
			rules = append(rules, word(r.Rule))
		}
	}
	return listed(rules, 3)
}

// answered is how a decision ended, with what is needed to tell it.
func (x Explanation) answered(c *Case, s Style) (Run, answer) {
	run := Run{Decisions: []verdict.Decision{c.Decision}, Reports: c.Reports, At: x.At, Style: s}
	a := answerOf(c.Decision, run.nothing(c.Decision))
	if x.expired(&c.Decision) {
		a = answer{"!", a.words + ", but expired", care}
	}
	return run, a
}

func (x Explanation) whyCase(p *page, c *Case) {
	run, a := x.answered(c, p.Style)
	d := &run.Decisions[0]
	p.gap()
	p.line(hang(p.paint(a.code, a.mark+" "+strings.ToUpper(a.words[:1])+a.words[1:])+"  ", subjectText(d.Subject), p.width()))
	if c.Replaced != "" {
		p.under("  ", "Replaced by the newer decision "+shortID(c.Replaced)+".")
	}
	x.whyDecided(p, d, c)
	whyReasons(p, run, d)
	persons(p, d)
	x.whyEvidence(p, c)
	run.textChecked(p, true)
	whyPass(p, run, d)
	whyCame(p, c)
	whyOwners(p, d)
	whyCheck(p, d, c)
}

// expired reports whether a decision no longer holds when it is asked about.
func (x Explanation) expired(d *verdict.Decision) bool {
	return !d.Expires.IsZero() && !x.At.IsZero() && !x.At.Before(d.Expires)
}

// whyDecided is the question, the time, and by what it was judged.
func (x Explanation) whyDecided(p *page, d *verdict.Decision, c *Case) {
	p.gap()
	rows := [][]string{{"question", fit(d.Question, 300)}, {"point", join(name(d.Point), parens(join(word(string(d.Layer)), "layer,", "mode", word(string(d.Mode)))))}}
	if d.Service != "" {
		rows = append(rows, []string{"service", join(word(d.Service), parens(word(d.Team)))})
	}
	if d.Environment != "" {
		rows = append(rows, []string{"environment", word(d.Environment)})
	}
	recorded := "not recorded"
	if c.Recorded.Index >= 0 && c.Recorded.Digest != "" {
		recorded = entry(c.Recorded.Index)
	}
	if r := d.Requester; r != nil && r.Claimed != "" {
		rows = append(rows, []string{"for", fit(Claimed(r), 300)})
	}
	rows = append(rows,
		[]string{"when", join(when(d.At), parens(age(d.At, x.At)))},
		[]string{"asked by", join(cmp.Or(word(d.Trigger), "an unnamed trigger"), parens(word(cmp.Or(c.By, d.Actor))))},
		[]string{"decision", join(word(d.ID)+",", recorded)},
		[]string{"judged by", fmt.Sprintf("map %s, policy %s, %s", short(d.Digests.Map), short(d.Digests.Policy), cmp.Or(word(d.Engine), "an unnamed engine"))},
	)
	if !d.Expires.IsZero() {
		word := "holds until "
		if x.expired(d) {
			word = "expired at "
		}
		rows = append(rows, []string{"validity", word + when(d.Expires)})
	}
	p.table(rows, "  ")
}

// entry is a position of the log as commands take it: without commas.
func entry(index int64) string { return fmt.Sprintf("entry %d", index) }

// short is a digest for a person, and says when there is none.
func short(d verdict.Digest) string { return cmp.Or(word(d.Short()), "unknown") }

func whyReasons(p *page, r Run, d *verdict.Decision) {
	p.heading("Why")
	if len(d.Reasons)+len(d.Errors) == 0 && d.Outcome == verdict.Allow {
		switch {
		case len(d.Passed) == 0:
			p.line("  No rule failed, and none passed either.")
		default:
			p.under("  ", fmt.Sprintf("All %s that apply passed.", count(len(d.Passed), "rule", "rules")))
		}
	}
	show := shown(r.findings(), true)
	for j := range d.Reasons {
		if j > 0 {
			p.gap()
		}
		textReason(p, d, &d.Reasons[j], show[&d.Reasons[j]])
	}
	for i, f := range r.faults() {
		if i > 0 || len(d.Reasons) > 0 {
			p.gap()
		}
		textFault(p, f.Fault)
	}
	if len(d.Reasons)+len(d.Errors) > 0 && len(d.Passed)+len(d.Skipped) > 0 {
		p.gap()
	}
	ruleList(p, "passed", d.Passed)
	ruleList(p, "does not apply", d.Skipped)
}

func ruleList(p *page, lead string, ids []string) {
	if len(ids) == 0 {
		return
	}
	words := make([]string, len(ids))
	for i, id := range ids {
		words[i] = word(id)
	}
	p.under("  "+lead+": ", strings.Join(words, ", "))
}

func (x Explanation) whyEvidence(p *page, c *Case) {
	p.heading("Evidence")
	if len(c.Evidence) == 0 {
		p.line("  none: the decision rests on no recorded statement")
		return
	}
	for _, e := range c.Evidence {
		mark, code := "✓", good
		if e.State != verdict.StateVerified {
			mark, code = "?", care
		}
		where := "not recorded"
		if e.Index >= 0 {
			where = entry(e.Index)
		}
		parts := []string{where, cmp.Or(word(string(e.State)), "state unknown"), cmp.Or(age(e.At, x.At), "age unknown")}
		if e.Foreign {
			parts = append(parts, "foreign")
		}
		if e.Pruned {
			parts = append(parts, "body pruned at the end of its retention")
		}
		p.line(hang("  "+p.paint(code, mark)+" ", name(string(e.Kind))+": "+strings.Join(parts, ", "), p.width()))
		p.under("    ", fit(e.Summary, 300))
		p.under("    by ", cmp.Or(fit(cmp.Or(e.By, e.Producer), 300), "an unknown producer"))
	}
}

// whyPass names the concrete thing that is missing for each reason that counts.
func whyPass(p *page, r Run, d *verdict.Decision) {
	if d.Outcome == verdict.Allow {
		return
	}
	p.heading("What would make it pass")
	n := 0
	step := func(s string) {
		n++
		p.under(fmt.Sprintf("  %d. ", n), s)
	}
	for _, f := range r.faults() {
		step(remedy(f.Remedy))
	}
	for _, reason := range d.Reasons {
		if reason.Standing == verdict.Accepted || reason.Standing == verdict.Approved || reason.Standing == verdict.Announced || reason.Effect == verdict.EffectNote {
			continue
		}
		mends := remedy(cmp.Or(strings.ReplaceAll(reason.Remediation, "verdict approve ID", "verdict approve "+d.ID), "The rule gives no remediation; ask its owner."))
		if k := len(reason.Items); k > 0 {
			mends += fmt.Sprintf(" (%s of %s)", count(k, "finding", "findings"), word(reason.Rule))
		} else {
			mends += " (" + word(reason.Rule) + ")"
		}
		step(mends)
	}
	if n == 0 {
		p.line("  nothing is named: the decision lacks its reasons")
	}
}

func whyOwners(p *page, d *verdict.Decision) {
	p.heading("Who")
	rows, seen := [][]string{}, map[string]bool{}
	if d.Team != "" || d.Service != "" {
		rows = append(rows, []string{cmp.Or(word(d.Team), "team unknown"), "owns " + cmp.Or(word(d.Service), "the subject")})
	}
	for _, r := range d.Reasons {
		if key := r.Owner + "\x00" + r.Rule; !seen[key] {
			seen[key] = true
			rows = append(rows, []string{cmp.Or(word(r.Owner), "nobody named"), "owns the rule " + word(r.Rule)})
		}
	}
	if len(rows) == 0 {
		rows = append(rows, []string{"nobody named", "the decision names no team and no failing rule"})
	}
	p.table(rows, "  ")
}

// whyCheck lists the commands with which anyone can check the answer without trusting it.
func whyCheck(p *page, d *verdict.Decision, c *Case) {
	p.heading("Check it yourself")
	rows := [][]string{}
	if d.ID != "" {
		rows = append(rows, []string{"verdict policy replay " + shortID(d.ID), "decide again from the same input"})
	}
	if c.Recorded.Index >= 0 && c.Recorded.Digest != "" {
		rows = append(rows, []string{fmt.Sprintf("verdict log proof %d", c.Recorded.Index), "that the decision is in the log"})
	}
	for _, e := range c.Evidence {
		if e.Index >= 0 {
			rows = append(rows, []string{fmt.Sprintf("verdict log proof %d", e.Index), "that it is in the log: " + name(string(e.Kind))})
		}
		if len(rows) > 6 {
			break
		}
	}
	rows = append(rows, []string{"verdict log verify", "that the log was never rewritten"}, []string{"verdict trail " + cmp.Or(shortID(d.ID), string(d.Subject.Digest), "REF"), "what came before and after"})
	p.table(rows, "  ")
}
