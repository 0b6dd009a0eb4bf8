package within

import (
	"context"
	"fmt"

	"verdict"
	"verdict/ledger"
)

// A list is filled by what the caller sees. One in whose rows there is little of it would be
// read to the end of the log for one answer, so that a page ends after as many rows as it looks
// at, whether or not it is full.

const (
	maxLooked  = 10_000  // rows that are looked at for one page
	maxSkipped = 100_000 // rows outside of a scope that are passed for one request
	maxRows    = 10_000  // of one question, as with the ledger
	stride     = 1_000   // rows that are read at once where the first ones did not suffice
)

// Page is a part of a list.
type Page[T any] struct {
	Rows []T
	// Next is where the list goes on, to be given as at with the same question; 0: it has ended.
	Next int64
}

// list is a question that is answered in parts.
type list[T any] struct {
	of *Ledger
	// ask gives n rows from a place on, and where those behind them begin; 0: there are none.
	// At the place 0 the list begins.
	ask    func(at int64, n int) (rows []T, next int64, err error)
	behind func(T) int64 // the place behind a row
	sees   func(T) bool
}

func (l list[T]) page(at int64, limit int) (p Page[T], err error) {
	p.Rows = []T{}
	skipped := 0
	defer func() { l.of.skip(skipped) }()
	for looked, n := 0, limit; looked < maxLooked; looked, n = looked+n, max(limit, stride) {
		rows, next, err := l.ask(at, n)
		if err != nil {
			return p, err
		}
		for i, r := range rows {
			if !l.sees(r) {
				skipped++
				continue
			}
			p.Rows = append(p.Rows, r)
			if len(p.Rows) == limit && i < len(rows)-1 {
				p.Next = l.behind(r)
				return p, nil
			}
		}
		if at = next; at == 0 || len(p.Rows) == limit {
			break
		}
	}
	p.Next = at
	return p, nil
}

func (x *Ledger) skip(rows int) {
	x.skipped.Add(int64(rows))
	if rows > 0 && x.Passed != nil {
		x.Passed(rows)
	}
}

// whole is the first limit rows of a list, as the ledger itself gives them.
func (l list[T]) whole(limit int) ([]T, error) {
	out, at := []T{}, int64(0)
	for {
		p, err := l.page(at, limit-len(out))
		if err != nil {
			return nil, err
		}
		out, at = append(out, p.Rows...), p.Next
		if at == 0 || len(out) == limit {
			return out, nil
		}
		if l.of.skipped.Load() >= maxSkipped {
			return nil, &verdict.Error{
				Code: verdict.CodeLimit, What: fmt.Sprintf("%d rows were looked at that are not in your scope, and the answer was not among them", maxSkipped),
				Remedy: "ask about an artifact, a service or an environment in it; or ask an admin for a role in a larger scope",
			}
		}
	}
}

func limited(n int) int {
	if n <= 0 || n > maxRows {
		return maxRows
	}
	return n
}

// under is the smaller bound of two of which 0 is none.
func under(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// downwards is a list that goes down by an index from a bound on, below which the rest lies.
func downwards[T any](x *Ledger, before int64, index func(T) int64, sees func(T) bool, ask func(before int64, n int) ([]T, error)) list[T] {
	return list[T]{of: x, behind: index, sees: sees, ask: func(at int64, n int) ([]T, int64, error) {
		rows, err := ask(under(before, at), n)
		if err != nil || len(rows) < n {
			return rows, 0, err
		}
		return rows, index(rows[len(rows)-1]), nil
	}}
}

func indexOf(e ledger.Entry) int64 { return e.Index }

func (x *Ledger) find(ctx context.Context, q ledger.Query) list[ledger.Entry] {
	return downwards(x, q.Before, indexOf, x.sees, func(before int64, n int) ([]ledger.Entry, error) {
		q.Before, q.Limit = before, n
		return x.l.Find(ctx, q)
	})
}

// Find lists what the query chooses, newest first.
func (x *Ledger) Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	return x.find(ctx, q).whole(limited(q.Limit))
}

// FindPage is a part of what Find lists, at most q.Limit rows below at.
func (x *Ledger) FindPage(ctx context.Context, q ledger.Query, at int64) (Page[ledger.Entry], error) {
	return x.find(ctx, q).page(at, limited(q.Limit))
}

func (x *Ledger) decisions(ctx context.Context, q ledger.DecisionQuery) list[ledger.DecisionRow] {
	return downwards(x, q.Before, func(d ledger.DecisionRow) int64 { return d.Index }, x.seesDecision, func(before int64, n int) ([]ledger.DecisionRow, error) {
		q.Before, q.Limit = before, n
		return x.l.Decisions(ctx, q)
	})
}

// Decisions lists decisions, newest first.
func (x *Ledger) Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error) {
	return x.decisions(ctx, q).whole(limited(q.Limit))
}

// DecisionsPage is a part of what Decisions lists, at most q.Limit rows below at.
func (x *Ledger) DecisionsPage(ctx context.Context, q ledger.DecisionQuery, at int64) (Page[ledger.DecisionRow], error) {
	return x.decisions(ctx, q).page(at, limited(q.Limit))
}

func (x *Ledger) running(ctx context.Context, q ledger.RunningQuery) list[ledger.RunningRow] {
	return downwards(x, q.Before, func(r ledger.RunningRow) int64 { return r.Index }, x.seesRunning, func(before int64, n int) ([]ledger.RunningRow, error) {
		q.Before, q.Limit = before, n
		return x.l.Running(ctx, q)
	})
}

// Running lists what is stated to run, the last that was deployed first.
func (x *Ledger) Running(ctx context.Context, q ledger.RunningQuery) ([]ledger.RunningRow, error) {
	return x.running(ctx, q).whole(limited(q.Limit))
}

// RunningPage is a part of what Running lists, at most q.Limit rows below at.
func (x *Ledger) RunningPage(ctx context.Context, q ledger.RunningQuery, at int64) (Page[ledger.RunningRow], error) {
	return x.running(ctx, q).page(at, limited(q.Limit))
}

// between goes up. A part of it is one of positions, which a restored backup may have left empty.
func (x *Ledger) between(ctx context.Context, from, to ledger.Position) (list[ledger.Entry], error) {
	end, err := x.l.Position(ctx)
	if to >= 0 {
		end = min(end, to)
	}
	return list[ledger.Entry]{of: x, behind: func(e ledger.Entry) int64 { return e.Index + 1 }, sees: x.sees, ask: func(at int64, n int) ([]ledger.Entry, int64, error) {
		begin := max(from, ledger.Position(at))
		next := min(end, begin+ledger.Position(n))
		if begin >= next {
			return nil, 0, nil
		}
		rows, err := x.l.Range(ctx, begin, next)
		if next == end {
			next = 0
		}
		return rows, int64(next), err
	}}, err
}

// Range lists the entries [from, to) in their order, at most 10,000 of them.
func (x *Ledger) Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error) {
	l, err := x.between(ctx, from, to)
	if err != nil {
		return nil, err
	}
	return l.whole(maxRows)
}

// RangePage is a part of what Range lists, at most limit rows from at on.
func (x *Ledger) RangePage(ctx context.Context, from, to ledger.Position, limit int, at int64) (p Page[ledger.Entry], err error) {
	l, err := x.between(ctx, from, to)
	if err != nil {
		return p, err
	}
	return l.page(at, limited(limit))
}

// standing is a list that the ledger gives at once.
func (x *Ledger) standing(ctx context.Context, kind verdict.Kind, about string, position ledger.Position) list[ledger.Entry] {
	return list[ledger.Entry]{of: x, behind: indexOf, sees: x.sees, ask: func(at int64, _ int) ([]ledger.Entry, int64, error) {
		rows, err := x.l.Standing(ctx, kind, about, position)
		for at > 0 && len(rows) > 0 && rows[0].Index >= at {
			rows = rows[1:]
		}
		return rows, 0, err
	}}
}

// Standing lists the statements of a kind that hold at a position, newest first.
func (x *Ledger) Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error) {
	return x.standing(ctx, kind, about, at).whole(maxRows)
}

// StandingPage is a part of what Standing lists at a position, at most limit rows below at.
func (x *Ledger) StandingPage(ctx context.Context, kind verdict.Kind, about string, position ledger.Position, limit int, at int64) (Page[ledger.Entry], error) {
	return x.standing(ctx, kind, about, position).page(at, limited(limit))
}

func (x *Ledger) arrived(ctx context.Context, origin string, from, to ledger.Position) list[ledger.Entry] {
	source := func(e ledger.Entry) int64 { return e.Source }
	return list[ledger.Entry]{of: x, behind: source, sees: x.sees, ask: func(at int64, _ int) ([]ledger.Entry, int64, error) {
		end := to
		if at > 0 {
			end = ledger.Position(at)
		}
		rows, err := x.l.Arrived(ctx, origin, from, end)
		if len(rows) < maxRows {
			return rows, 0, err
		}
		return rows, source(rows[len(rows)-1]), err
	}}
}

// Arrived lists the entries that came from the positions [from, to) of another log, the last
// of them first, at most 10,000 of them.
func (x *Ledger) Arrived(ctx context.Context, origin string, from, to ledger.Position) ([]ledger.Entry, error) {
	return x.arrived(ctx, origin, from, to).whole(maxRows)
}

// ArrivedPage is a part of what Arrived lists, at most limit rows below the index at of the
// other log.
func (x *Ledger) ArrivedPage(ctx context.Context, origin string, from, to ledger.Position, limit int, at int64) (Page[ledger.Entry], error) {
	return x.arrived(ctx, origin, from, to).page(at, limited(limit))
}
