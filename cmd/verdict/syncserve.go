package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server"
	"verdict/server/wire"
	"verdict/server/within"
)

// syncRoute takes parts of other logs, as verdict sync --server sends them. open gives a
// workspace in the name of the caller.
func syncRoute(s *server.Server, whose within.Whose, open func(c identity.Caller) *workspace) {
	type (
		in  struct{ Body wire.Travel }
		out struct{ Body synced }
	)
	server.Route(s, server.Operation{
		Method: http.MethodPost, Path: "/sync", ID: "sync", Summary: "Take a part of another log", Tag: "ledger", Verb: identity.Stating, Body: wire.MaxBody, Once: true,
		About: "Each entry is verified and recorded as evidence of others, once: to send it again adds nothing.",
	}, func(ctx context.Context, c identity.Caller, q *in) (*out, error) {
		r, err := open(c).takePart(ctx, c, whose, q.Body)
		if err != nil {
			return nil, err
		}
		return &out{*r}, nil
	})
}

// takePart takes what a caller sent of another log.
func (w *workspace) takePart(ctx context.Context, c identity.Caller, whose within.Whose, part wire.Travel) (*synced, error) {
	if part.From < 0 || part.To < part.From || part.To-part.From > wire.MaxTravel || len(part.Entries) > 2*wire.MaxTravel+maxSpans {
		return nil, &verdict.Error{Code: verdict.CodeLimit, What: fmt.Sprintf("the request is about the positions from %d to %d", part.From, part.To), Remedy: fmt.Sprintf("send at most %d at once", wire.MaxTravel)}
	}
	r := newSynced()
	from, err := newCarried(part, w)
	if err != nil {
		return nil, err
	}
	t := &taking{from: from, to: w, result: r, may: func(x verdict.Context) error {
		return whose.May(ctx, c, identity.Stating, identity.Object{Service: x.Service, Team: x.Team, Environment: x.Environment})
	}}
	if err := t.take(ctx, part.TrustLog, part.From, part.To); err != nil {
		return nil, err
	}
	end, err := w.ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	r.From = syncedLog{Origin: t.head.Origin, Entries: int64(t.head.Position)}
	r.To = syncedLog{Origin: end.Origin, Entries: int64(end.Position)}
	return r, nil
}

// carried is a sender that has what came with one request.
type carried struct {
	part wire.Travel
	keys *identity.History
	at   map[int64]wire.Carried
	to   *workspace
}

func newCarried(part wire.Travel, to *workspace) (*carried, error) {
	x := &carried{part: part, keys: &identity.History{}, at: map[int64]wire.Carried{}, to: to}
	for _, e := range part.Keys {
		if err := x.keys.Apply(e.Index, e.At, e.Signer, e.Event); err != nil {
			return nil, err
		}
	}
	for _, e := range part.Entries {
		x.at[e.Index] = e
	}
	return x, nil
}

func (x *carried) Checkpoint(context.Context) (ledger.Checkpoint, error) {
	return x.part.Checkpoint, nil
}

func (x *carried) Consistency(_ context.Context, from, to int64) (ledger.ConsistencyProof, error) {
	p := x.part.Continues
	if from == to { // of one tree, whose root is compared
		return ledger.ConsistencyProof{Hashes: []tlog.Hash{}}, nil
	}
	if p == nil || p.From.Size != from || p.To.Size != to {
		return ledger.ConsistencyProof{}, &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("the log was known by its first %d entries, and nothing proves that it continues them", from),
			Remedy: "run the command again: somebody else sent of this log meanwhile",
		}
	}
	return *p, nil
}

func (x *carried) InclusionAt(_ context.Context, index int64, _ ledger.Position) (ledger.InclusionProof, error) {
	e, ok := x.at[index]
	if !ok || e.Proof == nil {
		return ledger.InclusionProof{}, fmt.Errorf("no proof came for entry %d", index)
	}
	return *e.Proof, nil
}

func (x *carried) Range(_ context.Context, from, to ledger.Position) ([]ledger.Entry, error) {
	var out []ledger.Entry
	for index := from; index < to; index++ {
		if e, ok := x.at[int64(index)]; ok {
			out = append(out, ledger.Entry{Index: e.Index, Pruned: e.Pruned})
		}
	}
	return out, nil
}

func (x *carried) Logged(_ context.Context, index int64) (*evidence.Bundle, error) {
	e, ok := x.at[index]
	if !ok || len(e.Bundle) == 0 {
		return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: first(e.Why, "the log that sends does not give it"), Remedy: remedySender, Err: errors.New("no bundle came")}
	}
	return evidence.ParseBundle(e.Bundle)
}

func (x *carried) Keys(context.Context) (*identity.History, error) { return x.keys, nil }

// Blob gives what was sent before, by itself.
func (x *carried) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	return x.to.ledger.Blob(ctx, d)
}
