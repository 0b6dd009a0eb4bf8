package decide

import (
	"context"
	"fmt"

	"verdict"
	"verdict/ledger"
)

// Whoever holds any enrolled key can state as often as he likes. What counts for nothing is
// therefore passed over page by page, and never takes the place of what counts: a finding
// would otherwise be hidden behind a few hundred statements that nobody believes. Past most
// pages the decision fails, and does not go by what it happened to see.

// mostPages bounds how many pages of one question are read.
const mostPages = 50

// kept lists what a query chooses and keep keeps, newest first. cut is true where there is
// more than was read.
func (e *Engine) kept(ctx context.Context, q ledger.Query, keep func(ledger.Entry) bool) (out []ledger.Entry, cut bool, err error) {
	for range mostPages {
		page, err := e.find(ctx, q)
		if err != nil {
			return nil, false, err
		}
		for _, x := range page {
			if keep(x) {
				out = append(out, x)
			}
		}
		if len(page) < q.Limit || page[len(page)-1].Index == 0 {
			return out, false, nil
		}
		q.Before = page[len(page)-1].Index
	}
	return out, true, nil
}

// decided walks through the decisions that a query chooses by subject, environment and
// outcome, newest first, as far as their signers may take them where they say: whoever else
// says so has said nothing. It ends where each says that it has seen enough.
func (d *deployment) decided(ctx context.Context, q ledger.DecisionQuery, each func(*ledger.DecisionRow, *ledger.Entry) (more bool)) error {
	return d.decidedOf(ctx, q, func(*ledger.DecisionRow) (want, more bool) { return true, true }, each)
}

// decidedOf is decided for whoever can tell by its row whether a decision is to be shown.
func (d *deployment) decidedOf(ctx context.Context, q ledger.DecisionQuery, wants func(*ledger.DecisionRow) (want, more bool), each func(*ledger.DecisionRow, *ledger.Entry) (more bool)) error {
	list, cut, err := d.newest(ctx)
	if err != nil {
		return err
	}
	seen := 0
	for i := len(list) - 1; i >= 0; i-- {
		if seen == mostPages*perEnvironment {
			d.g.flooded("decisions of " + d.p.ID + " about the service")
			return nil
		}
		if !asks(q, &list[i]) {
			continue
		}
		seen++
		if more, err := d.show(ctx, &list[i], wants, each); err != nil || !more {
			return err
		}
	}
	if !cut {
		return nil
	}
	q.Point, q.Service, q.At, q.Limit = d.p.ID, d.r.Service, d.m.seen, perEnvironment
	if len(list) > 0 {
		q.Before = list[0].Index
	}
	for ; seen < mostPages*perEnvironment; seen += q.Limit {
		page, err := d.index.Decisions(ctx, q)
		if err != nil {
			return err
		}
		for i := range page {
			if more, err := d.show(ctx, &page[i], wants, each); err != nil || !more {
				return err
			}
		}
		if len(page) < q.Limit || page[len(page)-1].Index == 0 {
			return nil
		}
		q.Before = page[len(page)-1].Index
	}
	d.g.flooded("decisions of " + d.p.ID + " about the service")
	return nil
}

// asks reports whether a query asks for a row of its series.
func asks(q ledger.DecisionQuery, row *ledger.DecisionRow) bool {
	return (q.Subject == "" || q.Subject == row.Subject) && (q.Environment == "" || q.Environment == row.Environment) && (q.Outcome == "" || q.Outcome == row.Outcome)
}

// show gives a decision that is wanted to each where its signer may take it.
func (d *deployment) show(ctx context.Context, row *ledger.DecisionRow, wants func(*ledger.DecisionRow) (want, more bool), each func(*ledger.DecisionRow, *ledger.Entry) (more bool)) (more bool, err error) {
	if row.Environment == "" {
		return true, nil
	}
	want, more := wants(row)
	if !want {
		return more, nil
	}
	entry, err := d.promotion(ctx, row)
	if err != nil || entry == nil {
		return more, err
	}
	return each(row, entry) && more, nil
}

// flooded says that more was stated than is read, so that what counts may not have been seen.
func (g *gathered) flooded(what string) {
	g.faults = append(g.faults, verdict.Fault{
		Code: "evidence.too-many", What: fmt.Sprintf("there are more %s than are read, so that one which counts may be among the rest", what),
		Remedy: "find out who states them over and over, and have that key revoked: verdict log checkpoint, verdict keys revoke",
	})
}
