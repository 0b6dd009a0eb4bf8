package server

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
)

// LedgerOptions are what the routes of the ledger need beside the ledger.
type LedgerOptions struct {
	// Team gives the team of a service by the map in force, empty where nobody knows it:
	// rows that name no team are seen by who may see the service's.
	Team func(ctx context.Context, service string) (string, error)
	// VerifierKey is the log's, as verdict log key prints it.
	VerifierKey string
}

// shelf answers from the ledger within what the caller may see.
type shelf struct {
	ledger *ledger.Ledger
	o      LedgerOptions
}

const tagLedger = "ledger"

// LedgerRoutes adds the routes by which the command line works with the ledger.
func (s *Server) LedgerRoutes(o LedgerOptions) {
	if o.Team == nil {
		o.Team = func(context.Context, string) (string, error) { return "", nil }
	}
	b := &shelf{s.o.Ledger, o}
	get := func(path, id, summary string) Operation {
		return Operation{Method: http.MethodGet, Path: path, ID: id, Summary: summary, Tag: tagLedger, Verb: identity.Reading, About: "What lies outside of the caller's scope is left out, as if it were not there."}
	}
	Route(s, get("/checkpoint", "checkpoint", "The latest checkpoint of the log"), b.checkpoint)
	Route(s, get("/position", "position", "How many entries there were at a time"), b.position)
	Route(s, get("/keys", "list-key-events", "The events of enrolled keys, in the log's order"), b.keys)
	Route(s, get("/entries", "list-entries", "Entries of the log, newest first"), b.find)
	Route(s, get("/log/entries", "list-log", "Entries of the log in its order"), b.between)
	Route(s, get("/arrivals", "list-arrivals", "Entries that came from another log, the last first"), b.arrived)
	Route(s, get("/standing", "list-standing", "Statements of a kind that hold, newest first"), b.standing)
	Route(s, get("/entries/{index}", "entry", "One entry"), b.entry)
	Route(s, get("/entries/{index}/bundle", "entry-bundle", "The evidence of an entry: the signed bundle"), b.bundle)
	Route(s, get("/entries/{index}/logged", "entry-logged", "The bundle under the leaf of an entry"), b.logged)
	Route(s, get("/entries/{index}/leaf", "entry-leaf", "The leaf of an entry"), b.leaf)
	Route(s, get("/entries/{index}/proof", "entry-proof", "The proof that an entry is in the log"), b.inclusion)
	Route(s, get("/consistency", "consistency", "The proof that the log continues what it was"), b.consistency)
	Route(s, get("/decisions", "list-decisions", "Decisions, newest first"), b.decisions)
	Route(s, get("/decisions/{id}", "decision", "One decision, by its id or a unique beginning of it"), b.decision)
	Route(s, get("/running", "list-running", "What is stated to run, the last that was deployed first"), b.running)
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
	Limit  int    `query:"limit" default:"1000" minimum:"1" maximum:"1000"`
}

// from is the cursor as the index that it holds; 0: none.
func (p Page) from() int64 {
	n, err := strconv.ParseInt(p.Cursor, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

func cursor(index int64) string { return strconv.FormatInt(index, 10) }

// Place is which entry a path names.
type Place struct {
	Index int64 `path:"index" minimum:"0"`
}

// out is an answer with a body.
type out[T any] struct{ Body T }

func answerOf[T any](body T, err error) (*out[T], error) {
	if err != nil {
		return nil, err
	}
	return &out[T]{body}, nil
}

// sees reports whether a caller may see an entry.
func (b *shelf) sees(ctx context.Context, c identity.Caller, e ledger.Entry) (bool, error) {
	if identity.Everybodys(e.Kind) {
		return true, nil
	}
	return b.seesOf(ctx, c, e.Context.Service, e.Context.Team, e.Context.Environment)
}

func (b *shelf) seesOf(ctx context.Context, c identity.Caller, service, team, environment string) (bool, error) {
	if team == "" && service != "" {
		if c.May(identity.Reading, identity.Object{Service: service, Environment: environment}) == nil { // his scope names the service: whose it is adds nothing
			return true, nil
		}
		var err error
		if team, err = b.o.Team(ctx, service); err != nil {
			return false, err
		}
	}
	return c.May(identity.Reading, identity.Object{Service: service, Team: team, Environment: environment}) == nil, nil
}

// hidden is the answer for what is not there and for what the caller may not see: which of
// the two it is would tell him that it is there.
func hidden(what string) error {
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: what + " is not there, or not in your scope",
		Remedy: "compare it with what verdict trail and verdict log checkpoint print, or ask an admin for a role in its scope",
	}
}

func nameOf(index int64) string { return fmt.Sprintf("entry %d", index) }

// one gives an entry that the caller may see.
func (b *shelf) one(ctx context.Context, c identity.Caller, index int64) (ledger.Entry, error) {
	e, err := b.ledger.Entry(ctx, index)
	if notFound(err) {
		return e, hidden(nameOf(index))
	}
	if err != nil {
		return e, err
	}
	sees, err := b.sees(ctx, c, e)
	if err == nil && !sees {
		err = hidden(nameOf(index))
	}
	return e, err
}

func notFound(err error) bool {
	var e *verdict.Error
	return errors.As(err, &e) && e.Code == verdict.CodeNotFound
}

func (b *shelf) entry(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Entry], error) {
	e, err := b.one(ctx, c, q.Index)
	return answerOf(wire.EntryOf(e), err)
}

func (b *shelf) bundle(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Body], error) {
	return b.body(ctx, c, q.Index, b.ledger.Bundle)
}

func (b *shelf) logged(ctx context.Context, c identity.Caller, q *Place) (*out[wire.Body], error) {
	return b.body(ctx, c, q.Index, b.ledger.Logged)
}

func (b *shelf) body(ctx context.Context, c identity.Caller, index int64, read func(context.Context, int64) (*evidence.Bundle, error)) (*out[wire.Body], error) {
	e, err := b.one(ctx, c, index)
	if err != nil {
		return nil, err
	}
	x, err := read(ctx, index)
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
	x := wire.Log{Checkpoint: c, VerifierKey: b.o.VerifierKey}
	signed, found, err := b.ledger.Cosigned(ctx)
	if found {
		x.Cosigned = &signed
	}
	return answerOf(x, err)
}

// moment is a time.
type moment struct {
	Time time.Time `query:"time" required:"true"`
}

func (b *shelf) position(ctx context.Context, _ identity.Caller, q *moment) (*out[wire.Position], error) {
	p, err := b.ledger.PositionAt(ctx, q.Time)
	return answerOf(wire.Position{Position: p}, err)
}

// since is from which entry on something is wanted.
type since struct {
	From int64 `query:"from" minimum:"0"`
}

func (b *shelf) keys(ctx context.Context, _ identity.Caller, q *since) (*out[wire.Keys], error) {
	events, err := b.ledger.KeyEvents(ctx, q.From)
	k := wire.Keys{Events: []wire.PlacedKeyEvent{}}
	for _, e := range events {
		k.Events = append(k.Events, wire.PlacedKeyEvent(e))
	}
	return answerOf(k, err)
}
