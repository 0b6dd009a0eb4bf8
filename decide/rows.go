package decide

import (
	"context"
	"slices"
	"sort"
	"sync"

	"verdict"
	"verdict/ledger"
)

// A gate asks in several ways what was decided about a service before: where this digest was
// let in, what is here, what was here first. All of it is in the few newest rows of the
// index, which stay in memory and are brought forward by what came since.

// rows keeps what the index says of decisions.
type rows struct {
	mu    sync.Mutex // guards what follows
	of    map[series]rowList
	size  int                                   // rows in of
	taken map[verdict.Digest]ledger.DecisionRow // of decisions that were recorded here, by their statements
}

// series are the decisions of one point about one service.
type series struct{ point, service string }

// rowList is the newest of a series before a position, oldest first. What is in it does not
// change: to bring it forward appends.
type rowList struct {
	upTo ledger.Position
	list []ledger.DecisionRow
	cut  bool // older ones were left out
}

// Bounds of what is read at first, and of what is kept.
const (
	rowsAtFirst = 200
	rowsAtOnce  = 1000 // most that the index gives
	rowsOfOne   = 4 << 10
	rowsOfAll   = 64 << 10
)

// newest gives the newest rows of the deployment's series, newest last; cut is true where
// there may be older ones.
func (d *deployment) newest(ctx context.Context) (list []ledger.DecisionRow, cut bool, err error) {
	r, at, of := &d.recall.rows, d.m.seen, series{d.p.ID, d.r.Service}
	r.mu.Lock()
	was, known := r.of[of]
	r.mu.Unlock()
	is := was
	if !known || at > was.upTo {
		is = rowList{upTo: at}
		if known {
			is.list, is.cut, err = d.rowsSince(ctx, was.upTo)
		} else {
			is.list, is.cut, err = d.rowsOf(ctx, ledger.DecisionQuery{Limit: rowsAtFirst})
		}
		if err != nil {
			return nil, false, err
		}
		is = r.keep(of, was, is)
	}
	end := sort.Search(len(is.list), func(i int) bool { return is.list[i].Index >= int64(at) })
	return is.list[:end:end], is.cut, nil
}

// rowsSince gives the rows of the series from a position on, oldest first; cut is true where
// older ones among them were left out.
func (d *deployment) rowsSince(ctx context.Context, from ledger.Position) (list []ledger.DecisionRow, cut bool, err error) {
	entries, whole, err := d.recall.latest.between(ctx, d.Ledger, from, d.m.seen)
	if err != nil {
		return nil, false, err
	}
	if whole {
		if out, ok := d.recall.rows.takenOf(entries, series{d.p.ID, d.r.Service}); ok {
			return out, false, nil
		}
	}
	return d.rowsOf(ctx, ledger.DecisionQuery{From: int64(from), Limit: rowsAtOnce})
}

func (d *deployment) rowsOf(ctx context.Context, q ledger.DecisionQuery) (list []ledger.DecisionRow, cut bool, err error) {
	q.Point, q.Service, q.At = d.p.ID, d.r.Service, d.m.seen
	list, err = d.index.Decisions(ctx, q)
	slices.Reverse(list)
	return list, len(list) == q.Limit, err
}

// takenOf gives the rows of a series among entries that are given newest first; false where a
// decision is among them of which nothing is known here.
func (r *rows) takenOf(entries []ledger.Entry, of series) (out []ledger.DecisionRow, ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, x := range slices.Backward(entries) {
		if x.Kind != verdict.KindDecision || x.Foreign {
			continue
		}
		row, known := r.taken[x.Digest]
		if !known {
			return nil, false
		}
		if row.Index = x.Index; row.Point == of.point && row.Service == of.service {
			out = append(out, row)
		}
	}
	return out, true
}

// keep takes over what was found behind what was kept of a series, and gives all that is kept
// then. Somebody else may have been faster, and brought the list forward, or have had it
// forgotten: without it, what was found would pass for all that there is.
func (r *rows) keep(of series, behind, found rowList) rowList {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.of[of]
	if found.upTo <= was.upTo {
		return was
	}
	held := len(was.list)
	if was.upTo < behind.upTo {
		was = rowList{upTo: behind.upTo, list: slices.Clone(behind.list), cut: behind.cut}
	}
	is := rowList{upTo: found.upTo, list: was.list, cut: was.cut}
	more := found.list
	for len(more) > 0 && more[0].Index < int64(was.upTo) {
		more = more[1:]
	}
	if found.cut && len(more) == len(found.list) { // there may be a gap, and nobody knows what lies in it
		is.list, is.cut = slices.Clone(more), true
	} else {
		is.list = append(is.list, more...)
	}
	if len(is.list) > 2*rowsOfOne {
		is.list, is.cut = slices.Clone(is.list[len(is.list)-rowsOfOne:]), true
	}
	if r.size += len(is.list) - held; r.of == nil || r.size > rowsOfAll {
		r.of, r.size = map[series]rowList{}, len(is.list)
	}
	r.of[of] = is
	return is
}

// taking keeps the row of a decision that is about to be recorded, but for its index.
func (r *rows) taking(d verdict.Decision, statement verdict.Digest) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.taken == nil || len(r.taken) >= rowsOfOne {
		r.taken = map[verdict.Digest]ledger.DecisionRow{}
	}
	r.taken[statement] = ledger.DecisionRow{
		ID: d.ID, Point: d.Point, Subject: d.Subject.Digest, Name: d.Subject.Name, Service: d.Service, Environment: d.Environment,
		Mode: d.Mode, Outcome: d.Outcome, Enforced: d.Enforced, At: d.At, Expires: d.Expires, Replaced: -1,
	}
}
