package server

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
	"verdict/server/within"
)

// LedgerOptions are what the routes of the ledger need beside the ledger.
type LedgerOptions struct {
	// VerifierKey is the log's, as verdict log key prints it.
	VerifierKey string
}

// shelf answers from the ledger within what the caller may see.
type shelf struct {
	server *Server
	ledger *ledger.Ledger
	key    string
}

// seen is what a caller sees of the ledger.
func (b *shelf) seen(ctx context.Context, c identity.Caller) (*within.Ledger, error) {
	seen, err := b.server.o.Whose.Ledger(ctx, b.ledger, c)
	if err == nil {
		seen.Passed = b.server.Passed(c)
	}
	return seen, err
}

const tagLedger = "ledger"

// LedgerRoutes adds the routes by which the command line works with the ledger.
func (s *Server) LedgerRoutes(o LedgerOptions) {
	b := &shelf{s, s.o.Ledger, o.VerifierKey}
	get := func(path, id, summary, about string) Operation {
		return Operation{Method: http.MethodGet, Path: path, ID: id, Summary: summary, Tag: tagLedger, Verb: identity.Reading, About: about}
	}
	const (
		scoped = "What lies outside of the caller's scope is left out, as if it were not there."
		open   = "It is the same for everybody who reads, whatever his scope: it holds digests, keys and times alone."
	)
	Route(s, get("/checkpoint", "checkpoint", "The latest checkpoint of the log", open), b.checkpoint)
	Route(s, get("/position", "position", "How many entries there were at a time", open), b.position)
	Route(s, get("/key-events", "list-key-events", "The events of enrolled keys, in the log's order", open), b.keys)
	Route(s, get("/entries", "list-entries", "Entries of the log, newest first", scoped), b.find)
	Route(s, get("/log/entries", "list-log", "Entries of the log in its order", scoped), b.between)
	s.logRoutes(b, get, open)
	Route(s, get("/arrivals", "list-arrivals", "Entries that came from another log, the last first", scoped), b.arrived)
	Route(s, get("/standing", "list-standing", "Statements of a kind that hold, newest first", scoped), b.standing)
	Route(s, get("/entries/{index}", "entry", "One entry", scoped), b.entry)
	Route(s, get("/entries/{index}/bundle", "entry-bundle", "The evidence of an entry: the signed bundle", scoped), b.bundle)
	Route(s, get("/entries/{index}/logged", "entry-logged", "The bundle under the leaf of an entry", scoped), b.logged)
	Route(s, get("/entries/{index}/leaf", "entry-leaf", "The leaf of an entry", open), b.leaf)
	Route(s, get("/entries/{index}/proof", "entry-proof", "The proof that an entry is in the log", open), b.inclusion)
	Route(s, get("/consistency", "consistency", "The proof that the log continues what it was", open), b.consistency)
	Route(s, get("/decisions", "list-decisions", "Decisions, newest first", scoped), b.decisions)
	Route(s, get("/decisions/{id}", "decision", "One decision, by its id or a unique beginning of it", scoped), b.decision)
	Route(s, get("/running", "list-running", "What is stated to run, the last that was deployed first", scoped), b.running)
	b.events(s)
	s.componentRoutes(b)
	s.blobRoutes(b)
	s.tileRoutes(b)
}

// AsOf is the position that a question is asked at: the present where it says none.
type AsOf struct {
	At int64 `query:"at" default:"-1" minimum:"-1" doc:"answer as of this many entries of the log; -1: now"`
}

func (a AsOf) position() ledger.Position { return ledger.Position(a.At) }

// Page is which part of a list is wanted.
type Page struct {
	Cursor string `query:"cursor" maxLength:"18" pattern:"^[0-9]*$" doc:"next of the page before"`
	Limit  int    `query:"limit" default:"1000" minimum:"1" maximum:"1000" doc:"rows of a page"`
}

// from is the cursor as the index that it holds; 0: none.
func (p Page) from() int64 {
	n, err := strconv.ParseInt(p.Cursor, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// cursor is the cursor of a place; of 0, behind which nothing is, none.
func cursor(place int64) string {
	if place == 0 {
		return ""
	}
	return strconv.FormatInt(place, 10)
}

// Place is which entry a path names.
type Place struct {
	Index int64 `path:"index" minimum:"0" doc:"place of the entry in the log, from 0"`
}

// out is an answer with a body.
type out[T any] struct{ Body T }

func answerOf[T any](body T, err error) (*out[T], error) {
	if err != nil {
		return nil, err
	}
	return &out[T]{body}, nil
}

func (b *shelf) entry(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Entry], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	e, err := seen.Entry(ctx, q.Index)
	return answerOf(wire.EntryOf(e), err)
}

func (b *shelf) bundle(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Body], error) {
	return b.body(ctx, c, q, (*within.Ledger).EntryBundle)
}

func (b *shelf) logged(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Body], error) {
	return b.body(ctx, c, q, (*within.Ledger).EntryLogged)
}

func (b *shelf) body(ctx context.Context, c identity.Caller, q *Place, read func(*within.Ledger, context.Context, int64) (ledger.Entry, *evidence.Bundle, error)) (*out[wire.Body], error) {
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	e, x, err := read(seen, ctx, q.Index)
	if err != nil {
		return nil, err
	}
	return answerOf(wire.Body{Entry: wire.EntryOf(e), Bundle: x.JSON()}, nil)
}

// leaf is for everybody who reads: it holds digests and a public key, as the tiles do.
func (b *shelf) leaf(ctx context.Context, _ identity.Caller, q *Place) (*out[wire.Leaf], error) {
	leaf, err := b.ledger.Leaf(ctx, q.Index)
	return answerOf(wire.Leaf{Leaf: leaf}, err)
}

// entryAt asks for an entry at a position.
type entryAt struct {
	Place
	AsOf
}

func (b *shelf) inclusion(ctx context.Context, _ identity.Caller, q *entryAt) (*out[ledger.InclusionProof], error) {
	return answerOf(b.ledger.InclusionAt(ctx, q.Index, q.position()))
}

// sizes are two sizes of the log.
type sizes struct {
	From int64 `query:"from" default:"-1" minimum:"-1" doc:"-1: the latest"`
	To   int64 `query:"to" default:"-1" minimum:"-1" doc:"-1: the latest"`
}

func (b *shelf) consistency(ctx context.Context, _ identity.Caller, q *sizes) (*out[ledger.ConsistencyProof], error) {
	return answerOf(b.ledger.Consistency(ctx, q.From, q.To))
}

func (b *shelf) checkpoint(ctx context.Context, _ identity.Caller, _ *struct{}) (*out[wire.Log], error) {
	c, err := b.ledger.Checkpoint(ctx)
	if err != nil {
		return nil, err
	}
	x := wire.Log{Checkpoint: c, VerifierKey: b.key}
	signed, found, err := b.ledger.Cosigned(ctx)
	if found {
		x.Cosigned = &signed
	}
	return answerOf(x, err)
}

// moment is a time.
type moment struct {
	Time time.Time `query:"time" required:"true" doc:"the time (RFC 3339)"`
}

func (b *shelf) position(ctx context.Context, _ identity.Caller, q *moment) (*out[wire.Position], error) {
	p, err := b.ledger.PositionAt(ctx, q.Time)
	return answerOf(wire.Position{Position: p}, err)
}

// since is from which entry on something is wanted.
type since struct {
	From int64 `query:"from" minimum:"0" doc:"index of the first entry"`
}

func (b *shelf) keys(ctx context.Context, _ identity.Caller, q *since) (*out[wire.Keys], error) {
	events, err := b.ledger.KeyEvents(ctx, q.From)
	k := wire.Keys{Events: []wire.PlacedKeyEvent{}}
	for _, e := range events {
		k.Events = append(k.Events, wire.PlacedKeyEvent(e))
	}
	return answerOf(k, err)
}
