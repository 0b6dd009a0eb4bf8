package main

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/sbom"
	"verdict/server/client"
	"verdict/server/wire"
)

// sending is one run that sends this ledger to a server, which verifies and records it.
type sending struct {
	from   *ledger.Ledger
	to     *client.Client
	head   ledger.Checkpoint
	part   wire.Travel    // what every part has
	begun  []wire.Carried // the entries with which epochs began
	result *synced
	step   *phase
}

// send sends all that the server does not have. What stands there already is found by the
// server, so that an interrupted run goes on where it stopped.
func (s *sending) send(ctx context.Context, trust string) error {
	var err error
	if s.head, err = s.from.Checkpoint(ctx); err != nil {
		return err
	}
	s.part = wire.Travel{Checkpoint: s.head, TrustLog: trust, Keys: []wire.PlacedKeyEvent{}}
	events, err := s.from.KeyEvents(ctx, 0)
	if err != nil {
		return err
	}
	for _, e := range events {
		s.part.Keys = append(s.part.Keys, wire.PlacedKeyEvent(e))
	}
	if err := s.continues(ctx); err != nil {
		return err
	}
	if err := s.epochs(ctx); err != nil {
		return err
	}
	for from := int64(0); from < int64(s.head.Position); from += wire.MaxTravel {
		to := min(from+wire.MaxTravel, int64(s.head.Position))
		if err := s.stretch(ctx, from, to); err != nil {
			return err
		}
		s.step.say("%d of %d entries", to, int64(s.head.Position))
	}
	return nil
}

// continues proves that the log continues what the server was shown of it before.
func (s *sending) continues(ctx context.Context) error {
	there := s.to.Ledger()
	came, err := there.Arrived(ctx, s.head.Origin, 0, ledger.Now)
	if err != nil || len(came) == 0 {
		return err
	}
	b, err := there.Logged(ctx, came[0].Index)
	if err != nil {
		return err
	}
	st, err := b.Statement()
	if err != nil {
		return err
	}
	var in ledger.Ingestion
	if err := st.Decode(&in); err != nil || in.Checkpoint == "" {
		return err
	}
	verifier, err := note.NewVerifier(in.LogKey)
	if err != nil {
		return fmt.Errorf("the key by which the server knows this log: %w", err)
	}
	seen, err := readNote(in.Checkpoint, verifier)
	if err != nil || seen.N == 0 {
		return err
	}
	if seen.N > s.head.Size {
		return refused("this log was set back: it has %d entries now, and %s was shown %d", nil, remedySender, s.head.Size, "the server", seen.N)
	}
	p, err := s.from.Consistency(ctx, seen.N, s.head.Size)
	s.part.Continues = &p
	return err
}

// epochs collects the entries with which epochs began: by them the server finds what came
// before the open one.
func (s *sending) epochs(ctx context.Context) error {
	base := int64(s.head.Position) - s.head.Size
	for base > 0 && len(s.begun) < maxSpans {
		c, err := s.carry(ctx, base)
		if err != nil {
			return err
		}
		s.begun = append(s.begun, c)
		b, err := s.from.Logged(ctx, base)
		if err != nil {
			return err
		}
		st, err := b.Statement()
		if err != nil {
			return err
		}
		var e ledger.Epoch
		if err := st.Decode(&e); err != nil {
			return err
		}
		base = e.LostFrom - e.Survived
	}
	return nil
}

func (s *sending) carry(ctx context.Context, index int64) (wire.Carried, error) {
	e, err := s.from.Entry(ctx, index)
	if err != nil {
		return wire.Carried{}, err
	}
	return s.withBody(ctx, e)
}

// withBody gives an entry with its bundle and its proof.
func (s *sending) withBody(ctx context.Context, e ledger.Entry) (wire.Carried, error) {
	c := wire.Carried{Index: e.Index, Pruned: e.Pruned}
	if e.Pruned {
		return c, nil
	}
	b, err := s.from.Logged(ctx, e.Index)
	if err != nil {
		if ctx.Err() != nil || errors.Is(err, ledger.ErrAnchor) {
			return c, err
		}
		c.Why = verdict.AsError(err).Error()
		return c, nil
	}
	c.Bundle = b.JSON()
	p, err := s.from.InclusionAt(ctx, e.Index, s.head.Position)
	if err != nil {
		return c, err
	}
	c.Proof = &p
	return c, s.beside(ctx, e, b)
}

// beside sends the bill of materials that lies as a blob beside a statement. One that is lost
// here is told by the server.
func (s *sending) beside(ctx context.Context, e ledger.Entry, b *evidence.Bundle) error {
	if e.PredicateType != evidence.StoredBill || e.Foreign {
		return nil
	}
	st, err := b.Statement()
	if err != nil {
		return err
	}
	var stored verdict.StoredBill
	if st.Decode(&stored) != nil || stored.Size <= 0 || stored.Size > sbom.MaxBill {
		return nil
	}
	raw, err := s.from.Blob(ctx, stored.Digest)
	if errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = s.to.Ledger().PutBlob(ctx, raw)
	return err
}

// stretch sends the positions [from, to), in several requests where one would be too large.
func (s *sending) stretch(ctx context.Context, from, to int64) error {
	rows, err := s.from.Range(ctx, ledger.Position(from), ledger.Position(to))
	if err != nil {
		return err
	}
	part := s.part
	part.From, part.Entries = from, append([]wire.Carried{}, s.begun...)
	size := 0
	for _, e := range rows {
		c, err := s.withBody(ctx, e)
		if err != nil {
			return err
		}
		if size += len(c.Bundle); size > maxPart && len(part.Entries) > len(s.begun) {
			part.To = e.Index
			if err := s.hand(ctx, part); err != nil {
				return err
			}
			part.From, part.Entries, size = e.Index, append([]wire.Carried{}, s.begun...), len(c.Bundle)
		}
		part.Entries = append(part.Entries, c)
	}
	part.To = to
	return s.hand(ctx, part)
}

// maxPart is how many bytes of bundles one request carries, if it carries several.
const maxPart = 8 << 20

// hand gives a part to the server and adds what it says to the result.
func (s *sending) hand(ctx context.Context, part wire.Travel) error {
	var r synced
	if err := s.to.Sync(ctx, part, &r); err != nil {
		return err
	}
	s.result.add(r)
	return nil
}

// add adds what one part came to.
func (r *synced) add(p synced) {
	if r.Trusted == "" {
		r.Trusted = p.Trusted
	}
	r.To, r.Sent, r.Claims, r.Known, r.Blobs, r.Matched = p.To, r.Sent+p.Sent, r.Claims+p.Claims, r.Known+p.Known, r.Blobs+p.Blobs, r.Matched+p.Matched
	r.LeftOut, r.NotMatched = joinReasons(r.LeftOut, p.LeftOut), joinReasons(r.NotMatched, p.NotMatched)
	for _, x := range p.Refused {
		r.refuse(x.Index, x.Code, errors.New(x.Reason))
	}
	r.MoreRefused += p.MoreRefused
}

func joinReasons(a, b []notSent) []notSent {
	for _, x := range b {
		a = byReason(a, x.First, x.Reason)
		for i := range a {
			if a[i].Reason == x.Reason {
				a[i].Count += x.Count - 1
			}
		}
	}
	return a
}

// toServer sends to the control plane.
func (x *syncing) toServer(ctx context.Context, a *app) (err error) {
	here := *a
	here.config.Server, here.config.As = "", ""
	from, err := here.openExisting(ctx)
	if err != nil {
		return err
	}
	defer from.close()
	to, err := a.openRemote(ctx)
	if err != nil {
		return err
	}
	defer to.end(&err)
	if err := different(ctx, from, to); err != nil {
		return err
	}
	r := newSynced()
	s := &sending{from: from.own, to: to.remote, result: r, step: a.progress.phase("sending evidence")}
	err = s.send(ctx, x.trust)
	a.progress.stop()
	if err != nil {
		return r.interrupted(err)
	}
	r.From, r.To.Data = syncedLog{s.head.Origin, from.dir, int64(s.head.Position)}, a.config.Server
	if err := a.emit(r, r.text); err != nil {
		return err
	}
	return exit(r.exit())
}
