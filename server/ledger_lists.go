package server

import (
	"context"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
)

// A page of a list is filled by what the caller may see. One in whose rows there is little of
// it ends before it is full: the cursor says where the next one goes on.

// maxLooked is how many rows are looked at for one page.
const maxLooked = 10_000

// chosen are the entries that a caller asks for.
type chosen struct {
	Subject     string `query:"subject" maxLength:"200"`
	Kind        string `query:"kind" maxLength:"64"`
	Service     string `query:"service" maxLength:"256"`
	Environment string `query:"environment" maxLength:"256"`
	Point       string `query:"point" maxLength:"128"`
	Before      int64  `query:"before" minimum:"0" doc:"only entries with a smaller index; 0: all"`
	From        int64  `query:"from" minimum:"0" doc:"only entries with this index or a larger one"`
	AsOf
	Page
}

// under is the smaller bound of two of which 0 is none.
func under(a, b int64) int64 {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

func (b *shelf) find(ctx context.Context, c identity.Caller, q *chosen) (*out[wire.Entries], error) {
	w := ledger.Query{
		Subject: verdict.Digest(q.Subject), Kind: verdict.Kind(q.Kind), Service: q.Service, Environment: q.Environment, Point: q.Point,
		At: q.position(), Before: under(q.Before, q.Page.from()), From: q.From, Limit: q.Limit,
	}
	return answerOf(b.downwards(ctx, c, q.Limit, func(before int64) ([]ledger.Entry, error) {
		if before > 0 {
			w.Before = before
		}
		return b.ledger.Find(ctx, w)
	}))
}

// downwards fills a page from a list that goes on below an index, newest first.
func (b *shelf) downwards(ctx context.Context, c identity.Caller, limit int, below func(index int64) ([]ledger.Entry, error)) (wire.Entries, error) {
	p, before := wire.Entries{Entries: []wire.Entry{}}, int64(0)
	for looked := 0; looked < maxLooked; {
		rows, err := below(before)
		if err != nil {
			return p, err
		}
		for _, e := range rows {
			looked, before = looked+1, e.Index
			sees, err := b.sees(ctx, c, e)
			if err != nil {
				return p, err
			}
			if sees {
				p.Entries = append(p.Entries, wire.EntryOf(e))
			}
			if len(p.Entries) == limit {
				return until(p, before), nil
			}
		}
		if len(rows) < limit || before == 0 {
			return p, nil
		}
	}
	return until(p, before), nil
}

// span is a part of the log in its order.
type span struct {
	From int64 `query:"from" minimum:"0"`
	AsOf
	Page
}

func (b *shelf) between(ctx context.Context, c identity.Caller, q *span) (*out[wire.Entries], error) {
	rows, err := b.ledger.Range(ctx, ledger.Position(max(q.From, q.Page.from())), q.position())
	p := wire.Entries{Entries: []wire.Entry{}}
	for _, e := range rows {
		if err != nil {
			break
		}
		if len(p.Entries) == q.Limit {
			p.Next = cursor(e.Index)
			break
		}
		var sees bool
		if sees, err = b.sees(ctx, c, e); sees {
			p.Entries = append(p.Entries, wire.EntryOf(e))
		}
	}
	if p.Next == "" && len(rows) == maxLooked {
		p.Next = cursor(rows[len(rows)-1].Index + 1)
	}
	return answerOf(p, err)
}

// arrival is a part of another log.
type arrival struct {
	Origin string `query:"origin" required:"true" minLength:"1" maxLength:"253"`
	From   int64  `query:"from" minimum:"0"`
	AsOf
	Page
}

func (b *shelf) arrived(ctx context.Context, c identity.Caller, q *arrival) (*out[wire.Entries], error) {
	to := q.position()
	if n := q.Page.from(); n > 0 {
		to = ledger.Position(n)
	}
	rows, err := b.ledger.Arrived(ctx, q.Origin, ledger.Position(q.From), to)
	return answerOf(b.cut(ctx, c, rows, q.Limit, func(e ledger.Entry) int64 { return e.Source }, err))
}

// stand chooses statements that hold.
type stand struct {
	Kind  string `query:"kind" required:"true" minLength:"1" maxLength:"64"`
	About string `query:"about" maxLength:"512"`
	AsOf
	Page
}

func (b *shelf) standing(ctx context.Context, c identity.Caller, q *stand) (*out[wire.Entries], error) {
	if !ledger.Stands(verdict.Kind(q.Kind)) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "statements of kind " + q.Kind + " replace nothing", Remedy: "ask for them with GET " + Prefix + "/entries?kind=" + q.Kind}
	}
	rows, err := b.ledger.Standing(ctx, verdict.Kind(q.Kind), q.About, q.position())
	if n := q.Page.from(); n > 0 {
		for len(rows) > 0 && rows[0].Index >= n {
			rows = rows[1:]
		}
	}
	return answerOf(b.cut(ctx, c, rows, q.Limit, func(e ledger.Entry) int64 { return e.Index }, err))
}

// cut gives the first rows that the caller may see, of rows that go down by an index.
func (b *shelf) cut(ctx context.Context, c identity.Caller, rows []ledger.Entry, limit int, index func(ledger.Entry) int64, err error) (wire.Entries, error) {
	p := wire.Entries{Entries: []wire.Entry{}}
	for i, e := range rows {
		if err != nil {
			return p, err
		}
		if len(p.Entries) == limit {
			p.Next = cursor(index(rows[i-1]))
			return p, nil
		}
		var sees bool
		if sees, err = b.sees(ctx, c, e); sees {
			p.Entries = append(p.Entries, wire.EntryOf(e))
		}
	}
	return p, err
}

// judged are the decisions that a caller asks for.
type judged struct {
	Subject     string `query:"subject" maxLength:"200"`
	Point       string `query:"point" maxLength:"128"`
	Service     string `query:"service" maxLength:"256"`
	Environment string `query:"environment" maxLength:"256"`
	Outcome     string `query:"outcome" maxLength:"16"`
	Before      int64  `query:"before" minimum:"0" doc:"only decisions with a smaller index; 0: all"`
	From        int64  `query:"from" minimum:"0" doc:"only decisions with this index or a larger one"`
	AsOf
	Page
}

func (b *shelf) decisions(ctx context.Context, c identity.Caller, q *judged) (*out[wire.Decisions], error) {
	w := ledger.DecisionQuery{
		Subject: verdict.Digest(q.Subject), Point: q.Point, Service: q.Service, Environment: q.Environment, Outcome: verdict.Outcome(q.Outcome),
		At: q.position(), Before: under(q.Before, q.Page.from()), From: q.From, Limit: q.Limit,
	}
	p := wire.Decisions{Decisions: []ledger.DecisionRow{}}
	for looked := 0; looked < maxLooked; {
		rows, err := b.ledger.Decisions(ctx, w)
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			looked, w.Before = looked+1, d.Index
			sees, err := b.seesOf(ctx, c, d.Service, "", d.Environment)
			if err != nil {
				return nil, err
			}
			if sees {
				p.Decisions = append(p.Decisions, d)
			}
			if len(p.Decisions) == q.Limit {
				p.Next = cursorAbove(w.Before)
				return answerOf(p, nil)
			}
		}
		if len(rows) < q.Limit || w.Before == 0 {
			return answerOf(p, nil)
		}
	}
	p.Next = cursorAbove(w.Before)
	return answerOf(p, nil)
}

// cursorAbove is the cursor of what lies below an index; empty where nothing does.
func cursorAbove(index int64) string {
	if index == 0 {
		return ""
	}
	return cursor(index)
}

// decisionAsked asks for one decision.
type decisionAsked struct {
	ID string `path:"id" minLength:"1" maxLength:"128"`
	AsOf
}

func (b *shelf) decision(ctx context.Context, c identity.Caller, q *decisionAsked) (*out[wire.Body], error) {
	e, _, err := b.ledger.DecisionStatement(ctx, q.ID, q.position())
	if err != nil {
		return nil, err
	}
	if sees, err := b.sees(ctx, c, e); err != nil || !sees {
		if err == nil {
			err = &verdict.Error{Code: verdict.CodeNotFound, What: "no decision has an id that begins with " + q.ID, Remedy: "list the decisions about a commit, digest or file: verdict trail REF"}
		}
		return nil, err
	}
	x, err := b.ledger.Bundle(ctx, e.Index)
	if err != nil {
		return nil, err
	}
	return answerOf(wire.Body{Entry: wire.EntryOf(e), Bundle: x.JSON()}, nil)
}

// runs chooses what runs.
type runs struct {
	Environment string `query:"environment" maxLength:"256"`
	Service     string `query:"service" maxLength:"256"`
	Digest      string `query:"digest" maxLength:"200"`
	Ended       bool   `query:"ended" doc:"also what ran before and does not any more"`
	AsOf
	Page
}

func (b *shelf) running(ctx context.Context, c identity.Caller, q *runs) (*out[wire.Running], error) {
	rows, err := b.ledger.Running(ctx, ledger.RunningQuery{Environment: q.Environment, Service: q.Service, Digest: verdict.Digest(q.Digest), At: q.position(), Ended: q.Ended})
	p := wire.Running{Running: []ledger.RunningRow{}}
	below := q.Page.from()
	for _, r := range rows {
		if err != nil {
			return nil, err
		}
		if below > 0 && r.Index >= below {
			continue
		}
		if len(p.Running) == q.Limit {
			p.Next = cursor(p.Running[q.Limit-1].Index)
			break
		}
		var sees bool
		if sees, err = b.seesOf(ctx, c, r.Service, "", r.Environment); sees {
			p.Running = append(p.Running, r)
		}
	}
	return answerOf(p, err)
}

// until ends a page at an index, below which the next one goes on.
func until(p wire.Entries, index int64) wire.Entries {
	p.Next = cursorAbove(index)
	return p
}
