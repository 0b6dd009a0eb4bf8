// Package within shows a ledger as somebody sees it whose roles reach a part of it: what lies
// outside of his scope is left out, as if it were not there. Routes of the ledger and the
// questions that a server answers in his place read it alike.
package within

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/sbom"
)

// Teams gives the team of a service by the map in force, empty where nobody knows it. nil
// knows none.
type Teams func(service string) string

// Object is what something is about, for somebody's scope. Whose a service is, nobody says
// himself: the map's word stands before the one that came with it.
func (t Teams) Object(service, team, environment string) identity.Object {
	if t != nil && service != "" {
		if known := t(service); known != "" {
			team = known
		}
	}
	return identity.Object{Service: service, Team: team, Environment: environment}
}

// Whose finds the teams of services by the map in force. nil: nobody knows any.
type Whose func(ctx context.Context) (Teams, error)

func (w Whose) teams(ctx context.Context) (Teams, error) {
	if w == nil {
		return nil, nil
	}
	return w(ctx)
}

// May asks whether a caller's roles allow a verb on each of some objects, as Caller.May does.
// The map is read where their team makes a difference.
func (w Whose) May(ctx context.Context, c identity.Caller, v identity.Verb, about ...identity.Object) error {
	for _, o := range about {
		if c.May(v, identity.Object{Service: o.Service, Environment: o.Environment}) == nil { // without a team he may less
			continue
		}
		teams, err := w.teams(ctx)
		if err != nil {
			return err
		}
		if err := c.May(v, teams.Object(o.Service, o.Team, o.Environment)); err != nil {
			return err
		}
	}
	return nil
}

// Ledger gives what a caller sees of a ledger. It is for one request: teams are those that the
// map in force gives now.
func (w Whose) Ledger(ctx context.Context, l *ledger.Ledger, c identity.Caller) (*Ledger, error) {
	x := &Ledger{open: l, l: l, c: c, all: c.Everywhere()}
	if x.all {
		return x, nil
	}
	var err error
	x.teams, err = w.teams(ctx)
	return x, err
}

// Ledger is what somebody sees of a ledger. Each of its methods answers as that of the same
// name of ledger.Ledger would if nothing else were there. Many goroutines may use it.
type Ledger struct {
	// Passed is told of rows that were looked at and left out. nil: nobody is.
	Passed func(rows int)

	open
	l       *ledger.Ledger
	c       identity.Caller
	teams   Teams
	all     bool         // he sees everything
	skipped atomic.Int64 // rows that were looked at and left out
}

// open is what whoever reads at all may have: positions, the keys by which everybody is judged,
// and what holds digests and no words. Who keeps a blob holds its bytes.
type open interface {
	Position(ctx context.Context) (ledger.Position, error)
	PositionAt(ctx context.Context, t time.Time) (ledger.Position, error)
	Keys(ctx context.Context) (*identity.History, error)
	Leaf(ctx context.Context, index int64) ([]byte, error)
	PutBlob(ctx context.Context, b []byte) (verdict.Digest, error)
	BillOf(ctx context.Context, s *evidence.Statement) (*sbom.Bill, error)
}

func (x *Ledger) sees(e ledger.Entry) bool {
	if !x.all && identity.Everybodys(e.Kind) {
		return x.c.Holds(identity.Reading) == nil
	}
	return x.seesOf(e.Context.Service, e.Context.Team, e.Context.Environment)
}

// seesOf is sees of a row that says less of itself than an entry.
func (x *Ledger) seesOf(service, team, environment string) bool {
	return x.all || x.c.Reads(x.teams.Object(service, team, environment))
}

func (x *Ledger) seesDecision(d ledger.DecisionRow) bool {
	return x.seesOf(d.Service, "", d.Environment)
}

func (x *Ledger) seesRunning(r ledger.RunningRow) bool {
	return x.seesOf(r.Service, "", r.Environment)
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

// Entry gives one entry.
func (x *Ledger) Entry(ctx context.Context, index int64) (ledger.Entry, error) {
	e, err := x.l.Entry(ctx, index)
	var gone *verdict.Error
	if errors.As(err, &gone) && gone.Code == verdict.CodeNotFound || err == nil && !x.sees(e) {
		return ledger.Entry{}, hidden(nameOf(index))
	}
	return e, err
}

// Bundle gives the evidence of an entry.
func (x *Ledger) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	_, b, err := x.EntryBundle(ctx, index)
	return b, err
}

// Logged gives the bundle under the leaf of an entry.
func (x *Ledger) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	_, b, err := x.EntryLogged(ctx, index)
	return b, err
}

// Bodies gives entries with what their leaf is computed from, as ledger.Bodies does. Of those
// that the caller does not see there is the leaf alone.
func (x *Ledger) Bodies(ctx context.Context, from, to int64, each func(ledger.Body) error) error {
	return x.l.Bodies(ctx, from, to, func(e ledger.Entry) (bool, error) { return x.sees(e), nil }, each)
}

// SeesBlob is nil where evidence that the caller sees names the blob.
func (x *Ledger) SeesBlob(ctx context.Context, d verdict.Digest) error {
	if x.all {
		return nil
	}
	users, err := x.l.BlobUsers(ctx, d)
	if err != nil {
		return err
	}
	for _, u := range users {
		if x.sees(ledger.Entry{Kind: u.Kind, Context: verdict.Context{Service: u.Service, Team: u.Team, Environment: u.Environment}}) {
			return nil
		}
	}
	return hidden(string(d))
}

// Blob gives the bytes of a blob that SeesBlob.
func (x *Ledger) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	if err := x.SeesBlob(ctx, d); err != nil {
		return nil, err
	}
	return x.l.Blob(ctx, d)
}

// EntryBundle gives an entry with its Bundle.
func (x *Ledger) EntryBundle(ctx context.Context, index int64) (ledger.Entry, *evidence.Bundle, error) {
	return x.with(ctx, index, x.l.Bundle)
}

// EntryLogged gives an entry with what is Logged of it.
func (x *Ledger) EntryLogged(ctx context.Context, index int64) (ledger.Entry, *evidence.Bundle, error) {
	return x.with(ctx, index, x.l.Logged)
}

func (x *Ledger) with(ctx context.Context, index int64, read func(context.Context, int64) (*evidence.Bundle, error)) (ledger.Entry, *evidence.Bundle, error) {
	e, err := x.Entry(ctx, index)
	if err != nil {
		return e, nil, err
	}
	b, err := read(ctx, index)
	return e, b, err
}

// Decision finds a decision by its id, or by as much of it as is unique among those that he
// sees.
func (x *Ledger) Decision(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *verdict.Decision, error) {
	return ledger.Decided(x.DecisionStatement(ctx, prefix, at))
}

// DecisionStatement finds a decision like Decision and gives its whole statement.
func (x *Ledger) DecisionStatement(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *evidence.Statement, error) {
	if x.all {
		return x.l.DecisionStatement(ctx, prefix, at)
	}
	return x.l.DecisionAmong(ctx, prefix, at, x.sees)
}

// Counts reports whether the word of a producer counts, about a service in an environment, for
// a kind of evidence.
type Counts = func(kind verdict.Kind, producer, service, environment string) bool

func (x *Ledger) counts(more Counts) Counts {
	return func(kind verdict.Kind, producer, service, environment string) bool {
		return x.seesOf(service, "", environment) && (more == nil || more(kind, producer, service, environment))
	}
}

// Where is for who sees all services: what the index of components has under a name, it has
// from all of them. What runs, or was told, in environments that he does not see is left out.
func (x *Ledger) Where(ctx context.Context, q ledger.WhereQuery) (*ledger.Where, error) {
	if err := x.c.May(identity.Reading, identity.Object{}); err != nil {
		return nil, err
	}
	q.Counts = x.counts(q.Counts)
	w, err := x.l.Where(ctx, q)
	if err != nil {
		return nil, err
	}
	w.Within(func(service, environment string) bool { return x.seesOf(service, "", environment) })
	return w, nil
}

// Listed gives what those bills of an artifact list that he sees.
func (x *Ledger) Listed(ctx context.Context, artifact verdict.Digest, at ledger.Position, counts Counts) (ledger.Listed, error) {
	return x.l.Listed(ctx, artifact, at, x.counts(counts))
}
