package report

import (
	"cmp"
	"fmt"
	"slices"

	"verdict"
)

// weight says how much a finding matters to who waits for the answer.
type weight int

const (
	stops weight = iota // it is why the answer is not yes
	warns               // it would be, under another mode or on a later day
	notes               // told: a note, an accepted or approved reason
)

// finding is one item of a failing reason; a reason without items is one finding.
type finding struct {
	decision *verdict.Decision
	reason   *verdict.Reason
	item     verdict.Item
	severity verdict.Severity
	weight   weight
}

// message is what is wrong.
func (f finding) message() string {
	return cmp.Or(f.item.Message, f.reason.Message, f.reason.Title, f.reason.Rule)
}

// fix is what to do about it.
func (f finding) fix() string { return cmp.Or(f.item.Fix, f.reason.Remediation) }

// place is path:line, the path alone, or nothing.
func (f finding) place() string {
	if f.item.Path == "" || f.item.Line <= 0 {
		return f.item.Path
	}
	return fmt.Sprintf("%s:%d", f.item.Path, f.item.Line)
}

// findings lists what the failing reasons hold, the worst first, in an order that
// depends on the run alone.
func (r Run) findings() []finding {
	hits := map[string]verdict.Hit{}
	for _, p := range r.Reports {
		for _, h := range p.Hits {
			hits[h.Key] = h
		}
	}
	var out []finding
	for i := range r.Decisions {
		d := &r.Decisions[i]
		for j := range d.Reasons {
			reason := &d.Reasons[j]
			base := finding{decision: d, reason: reason, severity: reason.Severity, weight: weightOf(d, reason)}
			if len(reason.Items) == 0 {
				out = append(out, base)
			}
			items := slices.Clone(reason.Items)
			slices.SortStableFunc(items, func(a, b verdict.Item) int { return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line)) })
			for _, item := range items {
				f := base
				f.item = item
				f.complete(hits)
				out = append(out, f)
			}
		}
	}
	slices.SortStableFunc(out, func(a, b finding) int {
		return cmp.Or(cmp.Compare(a.weight, b.weight), cmp.Compare(a.severity.Rank(), b.severity.Rank()), older(a.item)-older(b.item))
	})
	return out
}

// older puts what the change brings before what was there: its author can mend that now.
func older(i verdict.Item) int {
	if i.Old {
		return 1
	}
	return 0
}

// complete takes from the check's own report what the item does not say.
func (f *finding) complete(hits map[string]verdict.Hit) {
	switch {
	case f.item.Accepted != "":
		f.weight = notes
	case !f.item.From.IsZero() && f.weight == stops:
		f.weight = warns
	}
	h, ok := hits[f.item.Key]
	if !ok || f.item.Key == "" {
		return
	}
	f.severity = cmp.Or(h.Severity, f.severity)
	if f.item.Path == "" {
		f.item.Path, f.item.Line = h.Path, h.Line
	}
	f.item.Message = cmp.Or(f.item.Message, h.Message)
	f.item.Fix = cmp.Or(f.item.Fix, h.Fix)
}

func weightOf(d *verdict.Decision, r *verdict.Reason) weight {
	switch {
	case r.Effect == verdict.EffectNote, r.Standing == verdict.Accepted, r.Standing == verdict.Approved:
		return notes
	case r.Standing == verdict.Announced, d.Enforced == verdict.Allow:
		return warns
	}
	return stops
}

// fault is one thing that kept a decision from being taken.
type fault struct {
	decision *verdict.Decision
	verdict.Fault
	weight weight
}

func (r Run) faults() []fault {
	var out []fault
	for i := range r.Decisions {
		d := &r.Decisions[i]
		w := stops
		if d.Enforced == verdict.Allow {
			w = warns
		}
		for _, f := range d.Errors {
			out = append(out, fault{d, f, w})
		}
		if d.Outcome == verdict.Undecided && len(d.Errors) == 0 {
			out = append(out, fault{d, verdict.Fault{Code: "undecided", What: "the decision does not say why it could not be taken", Remedy: "verdict why " + shortID(d.ID)}, w})
		}
	}
	if len(r.Decisions) == 0 {
		out = append(out, fault{&verdict.Decision{}, verdict.Fault{
			Code: "decision.none", What: "no decision point was asked, so nothing was decided",
			Remedy: "verdict map lint says which points the map has and what they lack",
		}, stops})
	}
	return out
}

// worst is how many findings a person is shown unasked.
const worst = 10

// shown picks the findings to print: the worst, but at least one of every reason, so
// that none goes unseen behind another's many.
func shown(all []finding, everything bool) map[*verdict.Reason][]finding {
	out := map[*verdict.Reason][]finding{}
	for i, f := range all {
		if everything || i < worst || len(out[f.reason]) == 0 {
			out[f.reason] = append(out[f.reason], f)
		}
	}
	return out
}
