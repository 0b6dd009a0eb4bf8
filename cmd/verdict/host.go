package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
	"verdict/server"
	"verdict/server/wire"
)

// host is the installation behind `verdict serve`: one ledger and one key, which many requests
// use at once. Each request has a workspace of its own over them, made as a command has one,
// so that a route answers as the command does.
type host struct {
	app  *app
	base *workspace // opened as a command opens it; its parts are shared

	// trusted verifies evidence of others by its certificate; nil: none is believed.
	trusted func(context.Context, *evidence.Bundle, wire.Foreign) (evidence.Producer, error)

	proxies []netip.Prefix // whose X-Forwarded-For is believed

	work *server.Chores // what is done one at a time over all replicas

	witnesses   []ledger.Witness       // those of --witness, which are asked
	unwitnessed *prometheus.CounterVec // how often one did not sign

	reading chan struct{} // one place for each map of a repository that is read

	mu        sync.Mutex        // guards what follows
	desks     map[deskKey]*desk // see host.desk
	latest    *desk             // the last of the released map
	inForce   *decisionmap.Map  // see host.mapInForce
	inForceOf deskKey           // when it was
}

// hosting is what an app has that answers for a request.
type hosting struct {
	host   *host
	caller identity.Caller
	notes  *bytes.Buffer // what a command would have told on standard error
}

func newHost(w *workspace) *host {
	return &host{
		app: w.app, base: w, desks: map[deskKey]*desk{}, reading: make(chan struct{}, maxReading),
		work:        &server.Chores{Store: w.store, Now: w.app.now, Logger: w.app.log, Owner: replicaName()},
		unwitnessed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "verdict_witness_failed_total", Help: "How often a witness was asked and did not sign."}, []string{"witness"}),
	}
}

// appFor is the app of one request: no variables, no configuration file, no standard input,
// and of the machine that the server runs on nothing is read but its data.
func (h *host) appFor(c identity.Caller, stdout io.Writer) *app {
	notes := &bytes.Buffer{}
	return &app{
		env: environment{}, stdin: bytes.NewReader(nil), stdout: stdout, stderr: notes, now: h.app.now, pinned: h.app.pinned, rand: h.app.rand, log: h.app.log, progress: &progress{},
		config: config{Data: h.base.dir, Output: []output{{Format: "json"}}}, hosted: &hosting{host: h, caller: c, notes: notes},
	}
}

// workspaceFor opens the workspace of one request. Its book holds what the caller may see.
func (h *host) workspaceFor(ctx context.Context, a *app) (*workspace, error) {
	w := h.shared(a)
	if seesAll(a.hosted.caller) {
		return w, nil
	}
	m, err := w.releasedMapAt(ctx, ledger.Now)
	if err != nil {
		return nil, err
	}
	if m == nil {
		m = decisionmap.Builtin()
	}
	w.ledger = within(w.ledger, m, a.hosted.caller)
	return w, nil
}

// recording is a workspace that records for a caller, in the server's name.
func (h *host) recording(c identity.Caller) *workspace {
	return h.shared(h.appFor(c, nil))
}

// shared is a workspace over the parts of the base.
func (h *host) shared(a *app) *workspace {
	b := h.base
	return &workspace{app: a, dir: b.dir, own: b.own, ledger: keptOpen(b.own), signer: b.signer, logKey: b.logKey, ring: b.ring}
}

// keptOpen is the book of a shared ledger: the end of a request does not close it.
func keptOpen(l *ledger.Ledger) book {
	b := ownBook(l)
	b.appending = shared{l}
	return b
}

type shared struct{ *ledger.Ledger }

func (shared) Close() error { return nil }

// refuseHere is the error for a name that only means something on the caller's machine.
func refuseHere(ref string) error {
	return usage("GET /openapi.json", fmt.Sprintf("%.80q is no digest, no commit in full and no decision", ref),
		"name an artifact as NAME@sha256:… or sha256:…, a commit by all of its digits, a decision by its id; files and names of git are known where they are")
}

// documented runs a reading command for a caller and gives the document that it writes with
// -o json. An exit code that says that nothing is there is in the document too.
func (h *host) documented(ctx context.Context, c identity.Caller, at string, run func(ctx context.Context, a *app) error) ([]byte, error) {
	var out bytes.Buffer
	a := h.appFor(c, &out)
	if at != "" {
		var err error
		if a.config.At, err = parseMoment(at); err != nil {
			return nil, usage("GET /openapi.json", "at "+err.Error(), "write the log's size, a time with its zone, or how long ago: 90m, 2h, 7d")
		}
	}
	var code exitCode
	if err := run(ctx, a); err != nil && !errors.As(err, &code) {
		return nil, err
	}
	if out.Len() == 0 {
		return nil, fmt.Errorf("a command wrote no document, and ended with %d", code)
	}
	return out.Bytes(), nil
}

// objectOf is what a row is about, for the caller's scope; the team is the map's where the row
// names none.
func objectOf(m *decisionmap.Map, service, team, environment string) identity.Object {
	if team == "" {
		team = m.Services[service].Team
	}
	return identity.Object{Service: service, Team: team, Environment: environment}
}

// seesAll reports whether the caller reads everything, so that nothing has to be left out.
func seesAll(c identity.Caller) bool {
	return slices.ContainsFunc(c.Grants, func(g identity.Grant) bool {
		return slices.Contains(g.Scope.Services, identity.Everything) && slices.Contains(g.Scope.Environments, identity.Everything)
	}) && c.Holds(identity.Reading) == nil
}

// within is a book without what lies outside of a caller's scope, as if it were not there.
func within(b book, m *decisionmap.Map, c identity.Caller) book {
	s := scope{m, c}
	b.entries, b.answers, b.contents = scopedEntries{b.entries, s}, scopedAnswers{b.answers, b.entries, s}, scopedContents{b.contents, b.entries, s}
	return b
}

type scope struct {
	m *decisionmap.Map
	c identity.Caller
}

func (s scope) sees(e ledger.Entry) bool {
	return identity.Everybodys(e.Kind) || s.may(e.Context.Service, e.Context.Team, e.Context.Environment)
}

func (s scope) may(service, team, environment string) bool {
	return s.c.May(identity.Reading, objectOf(s.m, service, team, environment)) == nil
}

// outside is the answer for what is not there, or not for the caller: he is not told which.
func outside(what string) error {
	return &verdict.Error{Code: verdict.CodeNotFound, What: what + " is not in the log, or not in your scope", Remedy: "compare it with what lists it, or ask an admin for a role in its scope"}
}

type scopedEntries struct {
	entries
	s scope
}

func (x scopedEntries) Entry(ctx context.Context, index int64) (ledger.Entry, error) {
	e, err := x.entries.Entry(ctx, index)
	if err == nil && !x.s.sees(e) {
		err = outside(fmt.Sprintf("entry %d", index))
	}
	return e, err
}

// Find goes on over pages of which nothing is for the caller: an empty one would read as the
// end.
func (x scopedEntries) Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	for {
		page, err := x.entries.Find(ctx, q)
		if err != nil || len(page) == 0 {
			return page, err
		}
		q.Before = page[len(page)-1].Index
		if page = x.kept(page); len(page) > 0 || q.Before == 0 {
			return page, nil
		}
	}
}

func (x scopedEntries) kept(all []ledger.Entry) []ledger.Entry {
	return slices.DeleteFunc(all, func(e ledger.Entry) bool { return !x.s.sees(e) })
}

func (x scopedEntries) Standing(ctx context.Context, kind verdict.Kind, about string, at ledger.Position) ([]ledger.Entry, error) {
	all, err := x.entries.Standing(ctx, kind, about, at)
	return x.kept(all), err
}

func (x scopedEntries) Range(ctx context.Context, from, to ledger.Position) ([]ledger.Entry, error) {
	all, err := x.entries.Range(ctx, from, to)
	return x.kept(all), err
}

func (x scopedEntries) Arrived(ctx context.Context, origin string, from, to ledger.Position) ([]ledger.Entry, error) {
	all, err := x.entries.Arrived(ctx, origin, from, to)
	return x.kept(all), err
}

type scopedAnswers struct {
	answers
	rows entries
	s    scope
}

func (x scopedAnswers) Decisions(ctx context.Context, q ledger.DecisionQuery) ([]ledger.DecisionRow, error) {
	for {
		page, err := x.answers.Decisions(ctx, q)
		if err != nil || len(page) == 0 {
			return page, err
		}
		q.Before = page[len(page)-1].Index
		page = slices.DeleteFunc(page, func(r ledger.DecisionRow) bool { return !x.s.may(r.Service, "", r.Environment) })
		if len(page) > 0 || q.Before == 0 {
			return page, nil
		}
	}
}

func (x scopedAnswers) Decision(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *verdict.Decision, error) {
	e, d, err := x.answers.Decision(ctx, prefix, at)
	if err == nil && !x.s.sees(e) {
		return ledger.Entry{}, nil, outside("the decision " + report.Neutral(prefix))
	}
	return e, d, err
}

func (x scopedAnswers) DecisionStatement(ctx context.Context, prefix string, at ledger.Position) (ledger.Entry, *evidence.Statement, error) {
	e, s, err := x.answers.DecisionStatement(ctx, prefix, at)
	if err == nil && !x.s.sees(e) {
		return ledger.Entry{}, nil, outside("the decision " + report.Neutral(prefix))
	}
	return e, s, err
}

func (x scopedAnswers) Running(ctx context.Context, q ledger.RunningQuery) ([]ledger.RunningRow, error) {
	all, err := x.answers.Running(ctx, q)
	return slices.DeleteFunc(all, func(r ledger.RunningRow) bool { return !x.s.may(r.Service, "", r.Environment) }), err
}

// Where and Listed join rows of many services. The index of components is for who sees all of
// those; what runs where he does not see is left out.
func (x scopedAnswers) Where(ctx context.Context, q ledger.WhereQuery) (*ledger.Where, error) {
	if err := x.s.c.May(identity.Reading, identity.Object{}); err != nil {
		return nil, err
	}
	counts := q.Counts
	q.Counts = func(kind verdict.Kind, producer, service, environment string) bool {
		return x.s.may(service, "", environment) && (counts == nil || counts(kind, producer, service, environment))
	}
	found, err := x.answers.Where(ctx, q)
	if err != nil {
		return nil, err
	}
	found.Within(func(service, environment string) bool { return x.s.may(service, "", environment) })
	return found, nil
}

func (x scopedAnswers) Listed(ctx context.Context, artifact verdict.Digest, at ledger.Position, counts func(kind verdict.Kind, producer, service, environment string) bool) (ledger.Listed, error) {
	return x.answers.Listed(ctx, artifact, at, func(kind verdict.Kind, producer, service, environment string) bool {
		return x.s.may(service, "", environment) && counts(kind, producer, service, environment)
	})
}

type scopedContents struct {
	contents
	rows entries
	s    scope
}

func (x scopedContents) Bundle(ctx context.Context, index int64) (*evidence.Bundle, error) {
	e, err := x.rows.Entry(ctx, index)
	if err != nil {
		return nil, err
	}
	if !x.s.sees(e) {
		return nil, outside(fmt.Sprintf("entry %d", index))
	}
	return x.contents.Bundle(ctx, index)
}

func (x scopedContents) Logged(ctx context.Context, index int64) (*evidence.Bundle, error) {
	e, err := x.rows.Entry(ctx, index)
	if err != nil {
		return nil, err
	}
	if !x.s.sees(e) {
		return nil, outside(fmt.Sprintf("entry %d", index))
	}
	return x.contents.Logged(ctx, index)
}
