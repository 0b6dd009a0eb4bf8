package decide

import (
	"context"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// chain lists the promotions of the digest that lead on: an emergency let something in past
// the rules, which is no promotion. A later denial takes nothing back: it may be for the hour
// that it was asked in, and what is true of the artifact is asked of it again in each
// environment. before reports whether the digest was ever let in here, in whichever way.
func (d *deployment) chain(ctx context.Context, out *policy.Promotions) (before bool, err error) {
	err = d.decided(ctx, ledger.DecisionQuery{Subject: d.r.Subject.Digest, Outcome: verdict.Allow}, func(row ledger.DecisionRow, entry ledger.Entry) bool {
		d.use(entry)
		before = before || row.Environment == d.r.Environment
		if d.byRule(ctx, entry) {
			out.List = append(out.List, d.listed(row))
		}
		return len(out.List) < perEnvironment
	})
	return before, err
}

// byRule reports whether a decision let something in because the rules did, and not by an
// emergency. One that cannot be read let nothing in.
func (d *deployment) byRule(ctx context.Context, entry ledger.Entry) bool {
	if glass, read := d.recall.brokenIn(entry.Index); read {
		return !glass
	}
	var then verdict.Decision
	if !d.told(ctx, entry, d.p.Produces.Kind, &then) {
		return false
	}
	d.recall.keepGlass(entry.Index, then.BreakGlass != "")
	return then.BreakGlass == ""
}

// maxGlass bounds of how many decisions it is kept whether an emergency let them in.
const maxGlass = 64 << 10

// brokenIn reports whether an emergency let in what the decision at an index is about; read
// is false where nobody has looked yet.
func (r *recall) brokenIn(index int64) (glass, read bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	glass, read = r.glass[index]
	return glass, read
}

func (r *recall) keepGlass(index int64, glass bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.glass == nil || len(r.glass) >= maxGlass {
		r.glass = map[int64]bool{}
	}
	r.glass[index] = glass
}

// firstHere reports whether the rules have let nothing of the service in here yet. here are
// the newest promotions, where it mostly ends with one.
func (d *deployment) firstHere(ctx context.Context, here []ledger.DecisionRow) (first bool, err error) {
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
