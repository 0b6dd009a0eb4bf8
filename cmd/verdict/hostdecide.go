package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
	"verdict/server"
	"verdict/server/wire"
	"verdict/server/within"
)

// desk is where questions are decided by one map: its rules are compiled and what they read
// before is known, so that the second question costs a tenth of the first. Many requests use
// it at once.
type desk struct {
	ready   chan struct{} // closed when the fields below are set
	judged  judgedBy
	decider decider
	until   time.Time // when rules begin that are released for later; zero: never
	err     error

	stating sync.Mutex // guards stated
	stated  bool       // that its rules decide
}

// state records, before the first decision that is recorded, which rules decide. They were
// proved when the desk was made, which may have been for a question that records nothing.
func (d *desk) state(ctx context.Context, w *workspace) error {
	d.stating.Lock()
	defer d.stating.Unlock()
	by, ours := d.decider.(ownDecider)
	if d.stated || !ours {
		return nil
	}
	if err := w.releasePolicy(ctx, by.Map, by.Policy, false); err != nil {
		return err
	}
	d.stated = true
	return nil
}

// deskKey says when a desk decides: as long as neither maps, rules nor keys changed in the
// log, for one file of a repository.
type deskKey struct {
	said string // the last entries that have a say
	own  string // sha256 of the repository's map; empty: none
}

const (
	maxDesks   = 32 // that are kept; a desk holds compiled rules, a few megabytes
	maxReading = 4  // maps of repositories that are read at once
)

// desk gives the one that decides now by the released map, with the repository's over it.
func (h *host) desk(ctx context.Context, own *wire.RepositoryMap) (*desk, error) {
	key, err := h.deskKey(ctx, own)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	d, there := h.desks[key]
	if there && d.over(h.base.now()) {
		there = false
	}
	if !there {
		if len(h.desks) >= maxDesks {
			h.forget()
		}
		d = &desk{ready: make(chan struct{})}
		h.desks[key] = d
		if own == nil {
			h.latest = d
		}
	}
	h.mu.Unlock()
	if !there {
		h.ready(ctx, d, key, own)
	}
	select {
	case <-d.ready:
		return d, d.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// begin waits for one of few places, in which the maps that callers send are read: each makes
// rules of megabytes, and whoever sends another one with each question would have the server
// do nothing else. One caller has half of them, so that a reader keeps no pipeline from its
// decision. The released map waits for nobody. end gives the place back.
func (h *host) begin(ctx context.Context, own *wire.RepositoryMap) (end func(), err error) {
	if own == nil {
		return func() {}, nil
	}
	leave, err := h.turns.enter(ctx, server.CallerOf(ctx).Actor, maxReading/2)
	if err == nil {
		select {
		case h.reading <- struct{}{}:
			return func() { <-h.reading; leave() }, nil
		case <-ctx.Done():
			leave()
			err = ctx.Err()
		}
	}
	return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: "the server reads as many maps of repositories as it does at once", Remedy: "ask again in a minute", Err: err}
}

// forget drops the desks of repositories' maps and of what was in force before, and keeps the
// last one of the released map. Those in use stay with who uses them. h.mu is held.
func (h *host) forget() {
	for key, d := range h.desks {
		if d != h.latest {
			delete(h.desks, key)
		}
	}
}

// ready makes a desk that others wait for as well: the end of this request does not stop the
// work, and a defect in it leaves nobody waiting.
func (h *host) ready(ctx context.Context, d *desk, key deskKey, own *wire.RepositoryMap) {
	d.err = errors.New("a defect in Verdict: no desk was made")
	defer func() {
		close(d.ready)
		if d.err == nil {
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.desks[key] == d {
			delete(h.desks, key)
		}
	}()
	end, err := h.begin(ctx, own)
	if err != nil {
		d.err = err
		return
	}
	defer end()
	d.judged, d.decider, d.until, d.err = h.judge(context.WithoutCancel(ctx), own)
}

// over reports whether other rules have begun since the desk was made.
func (d *desk) over(now time.Time) bool {
	select {
	case <-d.ready:
		return !d.until.IsZero() && !now.Before(d.until)
	default:
		return false
	}
}

// deskKey reads which entries have a say now.
func (h *host) deskKey(ctx context.Context, own *wire.RepositoryMap) (deskKey, error) {
	var k deskKey
	for _, kind := range []verdict.Kind{verdict.KindMapRelease, verdict.KindPolicyRelease, verdict.KindKey} {
		last, err := h.base.own.Find(ctx, ledger.Query{Kind: kind, At: ledger.Now, Limit: 1})
		if err != nil {
			return k, err
		}
		for _, e := range last {
			k.said += fmt.Sprintf("%s %d;", kind, e.Index)
		}
	}
	if own != nil {
		sum := sha256.Sum256([]byte(own.File + "\x00" + own.Revision + "\x00" + own.Content))
		k.own = hex.EncodeToString(sum[:])
	}
	return k, nil
}

// judge makes what a desk is: the map in force, the rules that go with it, and the engine.
func (h *host) judge(ctx context.Context, own *wire.RepositoryMap) (j judgedBy, d decider, until time.Time, err error) {
	w, err := h.workspaceFor(ctx, h.appFor(everything, nil))
	if err != nil {
		return j, nil, until, err
	}
	w.dry = true // see desk.state
	if j, err = w.judgedWith(ctx, own); err != nil {
		return j, nil, until, err
	}
	releases, err := w.policyReleases(ctx, ledger.Now)
	if err != nil {
		return j, nil, until, err
	}
	for _, r := range releases {
		if !r.begun(w.now()) && (until.IsZero() || r.from().Before(until)) {
			until = r.from()
		}
	}
	rules, err := w.rulesOf(ctx, nil, j)
	if err != nil {
		return j, nil, until, err
	}
	d, err = w.decider(ctx, j, rules)
	return j, d, until, err
}

// mapInForce is the map alone, for whose somebody and something is. It is found without its
// rules: those who could release better ones sign in by it.
func (h *host) mapInForce(ctx context.Context) (*decisionmap.Map, error) {
	key, err := h.deskKey(ctx, nil)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	m, of := h.inForce, h.inForceOf
	h.mu.Unlock()
	if m != nil && of == key {
		return m, nil
	}
	w, err := h.workspaceFor(ctx, h.appFor(everything, nil))
	if err != nil {
		return nil, err
	}
	j, err := w.judgedWith(ctx, nil)
	if err != nil {
		return nil, err
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inForce, h.inForceOf = j.Map, key
	return j.Map, nil
}

// judgedWith is the map in force with the repository's over it, as the caller sent that.
func (w *workspace) judgedWith(ctx context.Context, own *wire.RepositoryMap) (j judgedBy, err error) {
	if j.Released, err = w.inForce(ctx, ledger.Now); err != nil {
		return j, err
	}
	var released, repository *decisionmap.Map
	j.From = "the built-in map"
	if j.Released != nil {
		released, j.From = j.Released.Map, "the released organisation map"
	}
	if own != nil {
		if repository, err = decisionmap.Load(own.File, []byte(own.Content)); err != nil {
			return j, err
		}
		at := own.File + " at " + short(own.Revision)
		if released == nil {
			j.From = at + ", as the caller sent it: no organisation map is released here"
		} else {
			j.From += " with " + at
		}
	}
	j.Map, err = decisionmap.Resolve(released, repository)
	return j, err
}

// everything is the caller of what the server does of its own accord.
var everything = identity.Caller{Actor: "server", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}}}

// decisionRoute adds the route by which a point is asked.
func (h *host) decisionRoute(s *server.Server) {
	type (
		in  struct{ Body wire.Ask }
		out struct{ Body wire.Answer }
	)
	server.Route(s, server.Operation{
		Method: http.MethodPost, Path: "/decisions", ID: "decide", Summary: "Ask a decision point", Tag: "decisions", Verb: identity.Asking, Body: 8 << 20,
		About: "The server decides by the map and the rules in force, tightened by the repository's map that comes with the question, from the evidence in its own log. The answer is recorded as evidence, unless `dry` is set. " +
			"A denial is an answer, and no error: its status is 200.",
	}, func(ctx context.Context, c identity.Caller, q *in) (*out, error) {
		a, err := h.decide(ctx, c, q.Body)
		return &out{a}, err
	})
}

// decide answers a question for a caller.
func (h *host) decide(ctx context.Context, c identity.Caller, q wire.Ask) (wire.Answer, error) {
	d, err := h.desk(ctx, q.Map)
	if err != nil {
		return wire.Answer{}, err
	}
	m := d.judged.Map
	// By the map in force: the one that comes with the question may name whose team it likes.
	if err := within.Whose(h.teams).May(ctx, c, identity.Asking, identity.Object{Service: q.Service, Environment: q.Environment}); err != nil {
		return wire.Answer{}, err
	}
	p, ok := m.Point(q.Point)
	if !ok {
		return wire.Answer{}, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%s has no point %.80q", d.judged.From, q.Point), Remedy: "verdict map show lists the points"}
	}
	if err := h.mayJudge(c, d.judged, p, q); err != nil {
		return wire.Answer{}, err
	}
	w := h.recording(c)
	w.dry = q.Dry
	r := decide.Request{
		Point: q.Point, Subject: q.Subject, Service: q.Service, Team: m.Services[q.Service].Team, Environment: q.Environment,
		Trigger: q.Trigger, Actor: c.Actor, Run: q.Run,
	}
	if p.Layer == verdict.LayerDeploy {
		if r.Requester, err = h.requester(ctx, m, c, q.Requester); err != nil {
			return wire.Answer{}, err
		}
	}
	a, err := w.answer(ctx, d, r)
	if r.Requester != nil && r.Requester.Claimed != "" {
		a.Notes = append(a.Notes, report.Claimed(r.Requester))
	}
	return a, err
}

// mayJudge refuses the map of a caller where no map of the organisation stands above it: he
// would let himself into an environment. On his own machine he may as without a server.
func (h *host) mayJudge(c identity.Caller, j judgedBy, p decisionmap.Point, q wire.Ask) error {
	if j.Released != nil || p.Layer != verdict.LayerDeploy {
		return nil
	}
	if q.Map == nil || h.owns(c) {
		return nil
	}
	return &verdict.Error{
		// Nothing was judged: a pipeline that asks could not be answered, and was not refused.
		Code: verdict.CodeInvalid, What: "no organisation map is released on this server, and " + q.Point + " is not decided by a map that the asker brings",
		Remedy: "have two persons release the map: verdict map release FILE",
	}
}

// answer asks the point and states what belongs to its answer, as the commands do that ask it
// without a server.
func (w *workspace) answer(ctx context.Context, d *desk, r decide.Request) (wire.Answer, error) {
	out := wire.Answer{JudgedBy: d.judged.From, Notes: []string{}}
	gate := r.Point == gatePoint
	if gate || r.Point == applyPoint {
		if _, err := environmentIn(d.judged.Map, d.judged.From, r.Environment); err != nil {
			return out, err
		}
		if !w.dry {
			if err := w.mayPromote(ctx, d.judged.Map, r); err != nil {
				return out, err
			}
		}
	}
	if gate {
		matched, err := w.current(ctx, d.judged.Map, r.Subject, r.Service)
		if err != nil {
			return out, err
		}
		if matched != "" {
			out.Notes = append(out.Notes, matched)
		}
	}
	if !w.dry {
		if err := d.state(ctx, w); err != nil {
			return out, err
		}
	}
	if err := w.ask(ctx, d.decider, r, &out); err != nil || out.NotBuilt {
		return out, err
	}
	out.Notes = append(out.Notes, d.decider.notes()...)
	switch said := *out.Decision; {
	case w.dry:
	case gate && said.Outcome == verdict.Allow:
		return out, w.summarise(ctx, said)
	case r.Point == trustPoint:
		s, err := w.summarize(ctx, said)
		if err != nil {
			return out, err
		}
		out.Notes = append(out.Notes, s.told()...)
	}
	return out, nil
}

func (w *workspace) ask(ctx context.Context, by decider, r decide.Request, out *wire.Answer) error {
	if w.dry {
		d, err := by.Preview(ctx, r)
		d.ID = "" // it is nowhere to be found
		out.Decision = &d
		return err
	}
	d, e, err := by.Decide(ctx, r)
	if errors.Is(err, errNotBuilt) {
		out.NotBuilt = true
		return nil
	}
	if err != nil {
		return err
	}
	entry := wire.EntryOf(e)
	out.Decision, out.Entry = &d, &entry
	return nil
}
