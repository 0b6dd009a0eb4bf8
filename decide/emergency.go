package decide

import (
	"context"
	"slices"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// emergencies fills what was let through by break-glass and not looked at in time. What let
// something in binds the service whoever may break the glass by now: otherwise it would be
// forgotten when its giver leaves, or a limit gets tighter.
func (d *deployment) emergencies(ctx context.Context) error {
	out := &policy.BreakGlass{State: verdict.StateVerified}
	d.g.input.BreakGlass = out
	for _, x := range d.g.glasses {
		d.overdue(out, x, d.g.people.Entries[x.ID])
	}
	for _, x := range d.g.unfit {
		used, err := d.letIn(ctx, x)
		if err != nil {
			return err
		}
		if used {
			d.overdue(out, x.BreakGlass, x.Refs)
		}
	}
	return nil
}

func (d *deployment) overdue(out *policy.BreakGlass, x verdict.BreakGlass, refs []verdict.Ref) {
	if !x.Reviewed.IsZero() || x.ReviewBy.IsZero() || !d.m.now.After(x.ReviewBy) {
		return
	}
	one := policy.Emergency{ID: x.ID, Incident: x.Incident, By: x.By, ReviewBy: policy.TimeOf(x.ReviewBy)}
	for _, ref := range refs {
		d.g.rest(ref)
		one.Evidence = ref.Digest
	}
	out.Overdue = append(out.Overdue, one)
}

// letIn reports whether a decision that counts let something in by an emergency: the map of
// then said that it could.
func (d *deployment) letIn(ctx context.Context, x EmergencyRecord) (used bool, err error) {
	q := ledger.DecisionQuery{Subject: x.Subject, Environment: x.Environment, Outcome: verdict.Allow}
	err = d.decided(ctx, q, func(_ *ledger.DecisionRow, entry *ledger.Entry) bool {
		var then verdict.Decision
		if !d.told(ctx, *entry, needPeople, &then) {
			return true
		}
		if used = then.BreakGlass == x.ID; used {
			d.use(*entry)
		}
		return !used
	})
	return used, err
}

// emergenciesReviewed is the rule that every emergency was looked at afterwards.
const emergenciesReviewed = "deploy.gate.emergencies"

// unreviewed reports whether an emergency waits for its review past its time: with another
// one the glass could be broken for ever, and nobody would ever look.
func (o *Conclusion) unreviewed() bool {
	return slices.ContainsFunc(o.Reasons, func(r verdict.Reason) bool {
		return r.Rule == emergenciesReviewed && r.Effect == verdict.EffectDeny && r.Standing == verdict.Counts
	})
}
