package server

import (
	"context"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
	"verdict/server/within"
)

// A page of a list is filled by what the caller may see. One in whose rows there is little of
// it ends before it is full: the cursor says where the next one goes on.

// entriesOf is a page of entries as it is sent.
func entriesOf(p within.Page[ledger.Entry], err error) (*out[wire.Entries], error) {
	w := wire.Entries{Entries: make([]wire.Entry, len(p.Rows)), Next: cursor(p.Next)}
	for i, e := range p.Rows {
		w.Entries[i] = wire.EntryOf(e)
	}
	return answerOf(w, err)
}

// chosen are the entries that a caller asks for.
type chosen struct {
	Subject     string `query:"subject" maxLength:"200" doc:"only about this digest"`
	Kind        string `query:"kind" maxLength:"64" doc:"only evidence of this kind"`
	Service     string `query:"service" maxLength:"256" doc:"only of this service"`
	Environment string `query:"environment" maxLength:"256" doc:"only of this environment"`
	Point       string `query:"point" maxLength:"128" doc:"only of this decision point"`
	Before      int64  `query:"before" minimum:"0" doc:"only entries with a smaller index; 0: all"`
	From        int64  `query:"from" minimum:"0" doc:"only entries with this index or a larger one"`
	AsOf
	Page
}

func (b *shelf) find(ctx context.Context, c identity.Caller, q *chosen) (*out[wire.Entries], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	return entriesOf(seen.FindPage(ctx, ledger.Query{
		Subject: verdict.Digest(q.Subject), Kind: verdict.Kind(q.Kind), Service: q.Service, Environment: q.Environment, Point: q.Point,
		At: q.position(), Before: q.Before, From: q.From, Limit: q.Limit,
	}, q.Page.from()))
}

// span is a part of the log in its order.
type span struct {
	From int64 `query:"from" minimum:"0" doc:"index of the first entry"`
	AsOf
	Page
}

func (b *shelf) between(ctx context.Context, c identity.Caller, q *span) (*out[wire.Entries], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	return entriesOf(seen.RangePage(ctx, ledger.Position(q.From), q.position(), q.Limit, q.Page.from()))
}

// arrival is a part of another log.
type arrival struct {
	Origin string `query:"origin" required:"true" minLength:"1" maxLength:"253" doc:"name of the other log"`
	From   int64  `query:"from" minimum:"0" doc:"index, in the other log, of the first entry"`
	AsOf
	Page
}

func (b *shelf) arrived(ctx context.Context, c identity.Caller, q *arrival) (*out[wire.Entries], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	return entriesOf(seen.ArrivedPage(ctx, q.Origin, ledger.Position(q.From), q.position(), q.Limit, q.Page.from()))
}

// stand chooses statements that hold.
type stand struct {
	Kind  string `query:"kind" required:"true" minLength:"1" maxLength:"64" doc:"the kind of evidence"`
	About string `query:"about" maxLength:"512" doc:"only what is said about this: the id of a decision for approvals, a service for exceptions"`
	AsOf
	Page
}

func (b *shelf) standing(ctx context.Context, c identity.Caller, q *stand) (*out[wire.Entries], error) {
	if !ledger.Stands(verdict.Kind(q.Kind)) {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: "statements of kind " + q.Kind + " replace nothing", Remedy: "ask for them with GET " + Prefix + "/entries?kind=" + q.Kind}
	}
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	return entriesOf(seen.StandingPage(ctx, verdict.Kind(q.Kind), q.About, q.position(), q.Limit, q.Page.from()))
}

// judged are the decisions that a caller asks for.
type judged struct {
	Subject     string `query:"subject" maxLength:"200" doc:"only about this digest"`
	Point       string `query:"point" maxLength:"128" doc:"only of this decision point"`
	Service     string `query:"service" maxLength:"256" doc:"only of this service"`
	Environment string `query:"environment" maxLength:"256" doc:"only of this environment"`
	Outcome     string `query:"outcome" maxLength:"16" doc:"only with this outcome: allow, review, deny or error"`
	Before      int64  `query:"before" minimum:"0" doc:"only decisions with a smaller index; 0: all"`
	From        int64  `query:"from" minimum:"0" doc:"only decisions with this index or a larger one"`
	AsOf
	Page
}

func (b *shelf) decisions(ctx context.Context, c identity.Caller, q *judged) (*out[wire.Decisions], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := seen.DecisionsPage(ctx, ledger.DecisionQuery{
		Subject: verdict.Digest(q.Subject), Point: q.Point, Service: q.Service, Environment: q.Environment, Outcome: verdict.Outcome(q.Outcome),
		At: q.position(), Before: q.Before, From: q.From, Limit: q.Limit,
	}, q.Page.from())
	return answerOf(wire.Decisions{Decisions: p.Rows, Next: cursor(p.Next)}, err)
}

// decisionAsked asks for one decision.
type decisionAsked struct {
	ID string `path:"id" minLength:"1" maxLength:"128" doc:"the id, or a beginning of it that is unique"`
	AsOf
}

func (b *shelf) decision(ctx context.Context, c identity.Caller, q *decisionAsked) (*out[wire.Body], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	e, _, err := seen.DecisionStatement(ctx, q.ID, q.position())
	if err != nil {
		return nil, err
	}
	return b.bundle(ctx, c, &Place{e.Index})
}

// runs chooses what runs.
type runs struct {
	Environment string `query:"environment" maxLength:"256" doc:"only of this environment"`
	Service     string `query:"service" maxLength:"256" doc:"only of this service"`
	Digest      string `query:"digest" maxLength:"200" doc:"only this artifact"`
	Ended       bool   `query:"ended" doc:"also what ran before and does not any more"`
	AsOf
	Page
}

func (b *shelf) running(ctx context.Context, c identity.Caller, q *runs) (*out[wire.Running], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	p, err := seen.RunningPage(ctx, ledger.RunningQuery{
		Environment: q.Environment, Service: q.Service, Digest: verdict.Digest(q.Digest), At: q.position(), Ended: q.Ended, Limit: q.Limit,
	}, q.Page.from())
	return answerOf(wire.Running{Running: p.Rows, Next: cursor(p.Next)}, err)
}
