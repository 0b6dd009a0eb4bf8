package decide

import (
	"context"

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
		var ends []ledger.DecisionRow // the newest, and the oldest so far
		var rests [2]ledger.Entry
		seen := 0
		q := ledger.DecisionQuery{Subject: d.r.Subject.Digest, Environment: place, Outcome: verdict.Allow}
		err := d.decided(ctx, q, func(row ledger.DecisionRow, entry ledger.Entry) bool {
			before = before || place == d.r.Environment
			switch byRule := d.byRule(ctx, entry); {
			case !byRule:
				d.use(entry)
			case len(ends) == 0:
				ends, rests[0] = append(ends, row), entry
			case !d.lapsed(row):
				ends, rests[1] = append(ends[:1], row), entry
			}
			seen++
			return seen < perEnvironment
		})
		if err != nil {
			return false, err
		}
		for i, row := range ends {
			d.use(rests[i])
			out.List = append(out.List, d.listed(row))
		}
	}
	return before, nil
}

// byRule reports whether a decision let something in because the rules did, and not by an
// emergency. One that cannot be read let nothing in.
func (d *deployment) byRule(ctx context.Context, entry ledger.Entry) bool {
	if glass, read := d.recall.brokenIn(entry.Digest); read {
		return !glass
	}
	var then verdict.Decision
	if !d.told(ctx, entry, d.p.Produces.Kind, &then) {
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
	err = d.decided(ctx, ledger.DecisionQuery{Environment: d.r.Environment, Outcome: verdict.Allow}, func(_ ledger.DecisionRow, entry ledger.Entry) bool {
		if first = !d.byRule(ctx, entry); !first {
			d.use(entry)
		}
		return first
	})
	return first, err
}
