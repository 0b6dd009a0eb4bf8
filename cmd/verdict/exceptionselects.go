package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/ledger"
	"verdict/policy"
)

// latest bounds how many decisions are looked at for a finding.
const latest = 200

// standing is what there is to accept: what the decisions that nothing replaced, and the open
// findings of what runs, have.
type standing struct {
	decisions int
	fails     []string // the rules that object to something
	items     []string // keys of the findings of one rule
}

// selectsItems refuses an exception from something that is not there: no standing decision
// about the service in one of these environments, and no open finding, has it by this rule.
func (p *signatory) selectsItems(ctx context.Context, x verdict.Exception, b *policy.Bundle) error {
	if len(x.Items) == 0 && x.Rule == decide.EvidenceMissing {
		return usage(seeException, "the whole of "+x.Rule+" cannot be accepted: it stands for everything that a point needs to know", "name what may be missing: --item NEED")
	}
	var s standing
	for _, e := range x.Environments {
		if err := p.decided(ctx, x, e, &s); err != nil {
			return err
		}
	}
	if judgesFindings(b, x.Rule) {
		if err := p.open(ctx, x, &s); err != nil {
			return err
		}
	}
	about := x.Service + " in " + strings.Join(x.Environments, ", ")
	for _, item := range x.Items {
		switch {
		case slices.Contains(s.items, item):
		case s.decisions == 0 && len(s.items) == 0:
			return selectsNothing("decision about "+about+" that has the finding", item, nil, "ask the gate first: its answer names what it finds")
		default:
			return selectsNothing("finding of "+x.Rule, item, s.items, itemsKnown(s.items))
		}
	}
	if len(x.Items) > 0 || slices.Contains(s.fails, x.Rule) {
		return nil
	}
	e := &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("the exception would cover nothing: %s objects to nothing in the latest decisions about %s", x.Rule, about),
		Remedy: "nothing is to be accepted: they object to nothing",
	}
	switch {
	case s.decisions == 0 && len(s.fails) == 0:
		e.What = fmt.Sprintf("the exception would cover nothing: nothing was decided about %s that it could be for", about)
		e.Remedy = "ask the gate first: its answer names the rules that fail"
	case len(s.fails) > 0:
		slices.Sort(s.fails)
		e.Remedy = meant(x.Rule, s.fails, "--rule ", "they object by "+listed(s.fails))
	}
	return e
}

// decided adds what stands in the decisions about the service in one environment.
func (p *signatory) decided(ctx context.Context, x verdict.Exception, environment string, s *standing) error {
	rows, err := p.w.ledger.Decisions(ctx, ledger.DecisionQuery{Service: x.Service, Environment: environment, At: ledger.Now, Limit: latest})
	if err != nil {
		return err
	}
	for _, row := range rows {
		if row.Replaced >= 0 || len(x.Digests) > 0 && !slices.Contains(x.Digests, row.Subject) {
			continue
		}
		_, d, err := p.w.ledger.Decision(ctx, row.ID, ledger.Now)
		if err != nil {
			return err
		}
		s.decisions++
		for _, r := range d.Reasons {
			s.add(x.Rule, r)
		}
	}
	return nil
}

func (s *standing) add(rule string, r verdict.Reason) {
	if !slices.Contains(s.fails, r.Rule) {
		s.fails = append(s.fails, r.Rule)
	}
	for _, it := range r.Items {
		if r.Rule == rule && !slices.Contains(s.items, it.Key) {
			s.items = append(s.items, it.Key)
		}
	}
}

// judgesFindings reports whether a rule is about findings of what runs.
func judgesFindings(b *policy.Bundle, rule string) bool {
	found, _ := b.Select(rule)
	return slices.ContainsFunc(found, func(r verdict.Rule) bool { return r.ID == rule && slices.Contains(r.Evidence, verdict.KindFinding) })
}

// open adds the open findings of what runs of the service in the environments: the next
// decision about any artifact has them. Their digests are of what runs, and not of what is
// let in.
func (p *signatory) open(ctx context.Context, x verdict.Exception, s *standing) error {
	counts, err := p.w.counts(ctx, p.Map)
	if err != nil {
		return err
	}
	all, err := p.w.findings(ctx, ledger.Now, counts)
	if err != nil {
		return err
	}
	for _, f := range all {
		if f.State != verdict.FindingOpen || f.Service != x.Service || !slices.Contains(x.Environments, f.Environment) {
			continue
		}
		s.fails = append(s.fails, x.Rule)
		for _, id := range f.Advisories {
			s.items = append(s.items, id+"@"+f.Name)
		}
	}
	return nil
}

// itemsKnown is what there is to name of a rule.
func itemsKnown(known []string) string {
	const most = 5
	switch n := len(known); {
	case n == 0:
		return "the latest decisions have no finding of this rule by a key: leave --item out where the rule fails, and see verdict why DECISION"
	case n > most:
		return fmt.Sprintf("it has %s and %d more: verdict why DECISION -o json", strings.Join(known[:most], ", "), n-most)
	}
	return "it has " + listed(known)
}
