package report

import (
	"cmp"
	"fmt"
	"strings"

	"verdict"
)

// Speaker names a person who stated something. Where a server signed for who was signed in
// there it says so: that it was this person is the server's word.
func Speaker(person string, signedIn bool) string {
	if signedIn {
		return person + " (signed in; the server signed)"
	}
	return person
}

// WithoutKey stands below a command that a person signs: the next one may have no key.
const WithoutKey = "signed in at the server: the same without --as KEY"

// persons tells what persons had to do with a decision: who let it in and why, who still
// has to answer, and what somebody stated that does not count.
func persons(p *page, d *verdict.Decision) {
	letIn(p, d)
	asked(p, d)
	aside(p, d)
}

// Claimed tells that who asks is the word of a machine whose token names nobody.
func Claimed(r *verdict.Requester) string {
	return fmt.Sprintf("%s asks by the word of %s alone, whose token names no person", word(r.Person), word(r.Claimed))
}

// letIn is the risk that somebody accepted, and who.
func letIn(p *page, d *verdict.Decision) {
	l := d.Lifted
	if l == nil {
		return
	}
	p.heading("Who let it in")
	for _, a := range l.Approvals {
		p.under("  ✓ ", fit(fmt.Sprintf("%s approved it until %s (%s): %s", Speaker(a.By, a.SignedIn), when(a.Expires), a.ID, a.Rationale), 600))
		p.under("    for ", fit(a.Scope, 300))
	}
	for _, x := range l.Exceptions {
		p.under("  ✓ ", fit(fmt.Sprintf("%s accepted %s until %s (%s): %s", cmp.Or(strings.Join(x.ApprovedBy, " and "), "nobody who is named"), x.Rule, when(x.Expires), x.ID, x.Rationale), 600))
		p.under("    ", fit(strings.TrimPrefix(fmt.Sprintf("borne by %s; asked for by %s", cmp.Or(x.Owner, "nobody who is named"), cmp.Or(x.RequestedBy, "nobody who is named")), " "), 300))
		if x.Controls != "" {
			p.under("    done instead: ", fit(x.Controls, 300))
		}
	}
	if b := l.BreakGlass; b != nil {
		p.under("  "+p.paint(care, "!")+" ", fit(fmt.Sprintf("%s broke the glass for %s until %s (%s): %s", Speaker(b.By, b.SignedIn), b.Incident, when(b.Expires), b.ID, b.Rationale), 600))
		p.under("    to be reviewed by ", when(b.ReviewBy))
		p.line("    verdict break-glass review " + word(b.ID) + " --rationale TEXT --as KEY")
		p.line("    " + WithoutKey)
	}
}

// asked is how far the review has come where it is not over.
func asked(p *page, d *verdict.Decision) {
	a := d.Answer
	if a == nil || d.Outcome == verdict.Allow {
		return
	}
	p.heading("Who has to answer")
	p.under("  ", fit(fmt.Sprintf("%s of %s %s to approve: %d did%s.", count(int64(a.Persons), "person", "persons"), cmp.Or(strings.Join(a.Approvers, ", "), "nobody: the map names no approvers"),
		verb(a.Persons), len(a.Given), parensIf(" (", strings.Join(a.Given, ", "))), 400))
	for _, b := range a.Not {
		p.under("  not ", fit(b.Person+": "+b.Role, 300))
	}
	if a.Unknown != "" {
		p.under("  "+p.paint(care, "?")+" ", fit("No approval counts: "+a.Unknown, 400))
		p.under("    "+p.paint(strong, "fix:")+" ", remedy(a.Remedy))
		return
	}
	if len(a.Approvers) > 0 && d.Outcome == verdict.Review && d.ID != "" {
		p.line("  verdict approve " + word(d.ID) + " --as KEY --scope TEXT --rationale TEXT --expires 24h") // whole, to be typed
		p.line("  " + WithoutKey)
	}
}

func verb(n int) string {
	if n == 1 {
		return "has"
	}
	return "have"
}

func parensIf(open, text string) string {
	if text == "" {
		return ""
	}
	return open + text + ")"
}

// aside is what somebody stated and what does not count. Who stated it would else believe
// that it did.
func aside(p *page, d *verdict.Decision) {
	if len(d.Aside) == 0 {
		return
	}
	p.heading("Stated, and does not count")
	const most = 20
	for i, a := range d.Aside {
		if i == most {
			p.line(fmt.Sprintf("  … and %d more", len(d.Aside)-most))
			return
		}
		p.under("  ! ", fit(join(word(string(a.Kind)), word(a.ID), parensIf("(", a.By))+": "+a.Why, 600))
		p.under("    "+p.paint(strong, "fix:")+" ", remedy(a.Remedy))
	}
}
