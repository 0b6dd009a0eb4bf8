package decide

import (
	"context"
	"slices"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// chain lists the promotions of the digest that lead on, of each environment on the way here
// the newest, and the oldest that still counts: it tells for how long the digest has been
// there. An emergency let something in past the rules, which is no promotion. A later denial
// takes nothing back: it may be for the hour that it was asked in, and what is true of the
// artifact is asked of it again in each environment. before reports whether the digest was
// ever let in here, in whichever way.
//
// Each environment is asked about by itself: a gate that is asked over and over about one of
// them would otherwise hide the promotions to the others.
func (d *deployment) chain(ctx context.Context, out *policy.Promotions) (before bool, err error) {
	way, _ := d.Map.Chain(d.r.Environment)
	for _, place := range append(way, d.r.Environment) {
		var all []promoted // let in there, newest first
		q := ledger.DecisionQuery{Subject: d.r.Subject.Digest, Environment: place, Outcome: verdict.Allow}
		err := d.decided(ctx, q, func(row *ledger.DecisionRow, entry *ledger.Entry) bool {
			all = append(all, promoted{row, entry})
			return len(all) < perEnvironment
		})
		if err != nil {
			return false, err
		}
		before = before || place == d.r.Environment && len(all) > 0
		newest := slices.IndexFunc(all, func(x promoted) bool { return d.leadsOn(ctx, x) })
		if newest < 0 {
			continue
		}
		out.List = append(out.List, d.listed(all[newest].DecisionRow))
		for _, x := range slices.Backward(all[newest+1:]) {
			if !d.lapsed(x.DecisionRow) && d.leadsOn(ctx, x) {
				out.List = append(out.List, d.listed(x.DecisionRow))
				break
			}
		}
	}
	return before, nil
}

// leadsOn reports whether something was let in by the rules. The decision rests on what was
// looked at, either way.
func (d *deployment) leadsOn(ctx context.Context, x promoted) bool {
	d.use(*x.entry)
	return d.byRule(ctx, x.entry)
}

// byRule reports whether a decision let something in because the rules did, and not by an
// emergency. One that cannot be read let nothing in.
func (d *deployment) byRule(ctx context.Context, entry *ledger.Entry) bool {
	if glass, read := d.recall.brokenIn(entry.Digest); read {
		return !glass
	}
	var then verdict.Decision
	if !d.told(ctx, *entry, d.p.Produces.Kind, &then) {
		return false
	}
	d.recall.keepGlass(entry.Digest, then.BreakGlass != "")
	return then.BreakGlass == ""
}

// maxGlass bounds of how many decisions it is kept whether an emergency let them in.
const maxGlass = 64 << 10

// brokenIn reports whether an emergency let in what the decision of a digest is about; read
// is false where nobody has looked yet.
func (r *recall) brokenIn(decision verdict.Digest) (glass, read bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	glass, read = r.glass[decision]
	return glass, read
}

func (r *recall) keepGlass(decision verdict.Digest, glass bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.glass == nil || len(r.glass) >= maxGlass {
		r.glass = map[verdict.Digest]bool{}
	}
	r.glass[decision] = glass
}

// firstHere reports whether the rules have let nothing of the service in here yet. here are
// the newest promotions, where it mostly ends with one.
func (d *deployment) firstHere(ctx context.Context, here []promoted) (first bool, err error) {
	if len(here) == 0 {
		return true, nil
	}
	first = true
	err = d.decided(ctx, ledger.DecisionQuery{Environment: d.r.Environment, Outcome: verdict.Allow}, func(_ *ledger.DecisionRow, entry *ledger.Entry) bool {
		if first = !d.byRule(ctx, entry); !first {
			d.use(*entry)
		}
		return first
	})
	return first, err
}
