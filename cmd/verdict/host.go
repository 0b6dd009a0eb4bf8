package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"sync"

	"github.com/prometheus/client_golang/prometheus"

	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server"
	"verdict/server/wire"
	"verdict/server/within"
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

	publisher string             // of vulnerability data; empty: advisory.DefaultBase
	sharing   bool               // replicas may have data directories of their own: see advisoriesshared.go
	changing  sync.Mutex         // held by who changes this replica's copy of them; guards what follows
	taken     string             // digest of those that this replica has, as far as it looked
	unadvised prometheus.Counter // how often they could not be renewed
	// passed counts for a caller what is looked at and left out, as the server does; nil: nobody.
	passed func(c identity.Caller) func(rows int)

	reading chan struct{} // one place for each map of a repository that is read
	turns   turns         // how many of them one caller has

	backtests chan struct{} // one place for each backtest at work

	most int // rows of a list in an answer; 0: mostShown

	mu        sync.Mutex        // guards what follows
	testing   map[string]bool   // whose backtest is at work, by actor
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
	sent   mapText       // the map that he sent to have it looked at; empty: that in force is meant
}

// mostShown bounds a list in an answer to a request.
const mostShown = 10_000

// shown is what a list has room for in an answer to a request, and how many are left out. For a
// person at a shell it is whole.
func shown[T any](a *app, list []T) (in []T, left int) {
	if a.hosted == nil {
		return list, 0
	}
	n := min(len(list), cmp.Or(a.hosted.host.most, mostShown))
	return list[:n], len(list) - n
}

func newHost(w *workspace) *host {
	return &host{
		app: w.app, base: w, desks: map[deskKey]*desk{}, reading: make(chan struct{}, maxReading), backtests: make(chan struct{}, maxBacktests), testing: map[string]bool{},
		sharing:     w.app.config.Database != "",
		work:        &server.Chores{Store: w.store, Now: w.app.now, Logger: w.app.log, Owner: replicaName()},
		unadvised:   prometheus.NewCounter(prometheus.CounterOpts{Name: "verdict_advisories_failed_total", Help: "How often the vulnerability data could not be renewed by themselves."}),
		unwitnessed: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "verdict_witness_failed_total", Help: "How often a witness was asked and did not sign."}, []string{"witness"}),
	}
}

// appFor is the app of one request: no variables, no configuration file, no standard input,
// and of the machine that the server runs on nothing is read but its data.
func (h *host) appFor(c identity.Caller, stdout io.Writer) *app {
	notes := &bytes.Buffer{}
	return &app{
		env: environment{}, stdin: bytes.NewReader(nil), stdout: stdout, stderr: notes, now: h.app.now, pinned: h.app.pinned, rand: h.app.rand, log: h.app.log, progress: &progress{},
		config: config{Data: h.base.dir, Offline: h.app.config.Offline, Output: []output{{Format: "json"}}}, hosted: &hosting{host: h, caller: c, notes: notes},
	}
}

// workspaceFor opens the workspace of one request. Its book holds what the caller may see.
func (h *host) workspaceFor(ctx context.Context, a *app) (*workspace, error) {
	w := h.shared(a)
	if a.hosted.caller.Everywhere() {
		return w, nil
	}
	seen, err := within.Whose(h.teams).Ledger(ctx, h.base.own, a.hosted.caller)
	if err != nil {
		return nil, err
	}
	if h.passed != nil {
		seen.Passed = h.passed(a.hosted.caller)
	}
	w.ledger.entries, w.ledger.answers, w.ledger.contents = seen, seen, seen
	return w, nil
}

// teams are whose services are, by the map in force.
func (h *host) teams(ctx context.Context) (within.Teams, error) {
	m, err := h.mapInForce(ctx)
	if err != nil {
		return nil, err
	}
	return func(service string) string { return m.Services[service].Team }, nil
}

// recording is a workspace that records for a caller, in the server's name.
func (h *host) recording(c identity.Caller) *workspace {
	return h.shared(h.appFor(c, nil))
}

// shared is a workspace over the parts of the base.
func (h *host) shared(a *app) *workspace {
	b := h.base
	return &workspace{app: a, dir: b.dir, own: b.own, ledger: keptOpen(b.own), store: b.store, signer: b.signer, logKey: b.logKey, ring: b.ring}
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
