package main

import (
	"context"
	"fmt"
	"slices"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/server/wire"
)

// decider answers the questions of a command: the engine of this process or, with --server,
// the server.
type decider interface {
	// Decide answers and records the answer. A point whose rules are not there is errNotBuilt.
	Decide(ctx context.Context, r decide.Request) (verdict.Decision, ledger.Entry, error)
	// Preview answers as Decide would, and records nothing.
	Preview(ctx context.Context, r decide.Request) (verdict.Decision, error)
	// notes tell, after the first answer, which rules decide.
	notes() []string
}

// errNotBuilt is the answer for a point that no rule is there for.
var errNotBuilt = &verdict.Error{
	Code: verdict.CodeUnavailable, What: "the rules of this point are not there, and nothing is decided without them",
	Remedy: "run `verdict map lint`: a point is decided once its rules exist",
}

// decider is what decides by a map and the rules that it names beside itself.
func (w *workspace) decider(ctx context.Context, judged judgedBy, own map[string]string) (decider, error) {
	if w.remote != nil {
		return w.remoteDecider(ctx, judged)
	}
	e, err := w.engine(ctx, judged.Map, own)
	if err != nil {
		return nil, err
	}
	return ownDecider{e, decisionmap.NotBuilt(judged.Map, e.Policy), w.chosen}, nil
}

// ownDecider decides in this process.
type ownDecider struct {
	*decide.Engine
	unbuilt []string
	chosen  *chosenPolicy
}

func (d ownDecider) Decide(ctx context.Context, r decide.Request) (verdict.Decision, ledger.Entry, error) {
	if slices.Contains(d.unbuilt, r.Point) {
		return verdict.Decision{}, ledger.Entry{}, errNotBuilt
	}
	return d.Engine.Decide(ctx, r)
}

func (d ownDecider) notes() []string { return d.chosen.notes() }

// remoteDecider has the server decide. It takes the map of the repository from this side as
// far as that asks for more; rules come from a release, or from the program that it runs.
func (w *workspace) remoteDecider(ctx context.Context, judged judgedBy) (decider, error) {
	released, err := w.releasedFiles(ctx, judged.Map)
	if err != nil {
		return nil, err
	}
	if _, _, beside := judged.Map.Policies.Beside(); beside && released == nil && judged.Released == nil {
		return nil, &verdict.Error{
			Code: verdict.CodeRefused, What: fmt.Sprintf("%s names rules beside itself (%s), and a server decides by none that come from a repository", judged.From, judged.Map.Policies.Bundle),
			Remedy: "have them reviewed and released on the server: verdict policy release DIR; and let the map say policies: {bundle: released}",
		}
	}
	return &askingServer{w: w, judged: judged}, nil
}

// askingServer asks the server.
type askingServer struct {
	w      *workspace
	judged judgedBy
	told   []string
}

func (d *askingServer) ask(ctx context.Context, r decide.Request, dry bool) (wire.Answer, error) {
	q := wire.Ask{
		Point: r.Point, Subject: r.Subject, Service: r.Service, Environment: r.Environment, Trigger: r.Trigger, Run: r.Run, Map: d.judged.Own, Dry: dry,
	}
	if r.Requester != nil { // who that is, the server says
		q.Requester = d.w.requester
	}
	a, err := d.w.remote.Decide(ctx, q)
	if err != nil {
		return a, err
	}
	d.told = append([]string{"decided by the server, by " + a.JudgedBy}, a.Notes...)
	switch {
	case a.NotBuilt:
		return a, errNotBuilt
	case a.Decision == nil || a.Decision.Point != r.Point || a.Decision.Subject.Digest != r.Subject.Digest || !dry && a.Entry == nil:
		return a, &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the server answered another question than whether " + r.Point + " lets " + string(r.Subject.Digest) + " through",
			Remedy: "nothing was let through; ask again, and have the operator of " + d.w.app.config.Server + " look at its version: verdict version",
		}
	}
	return a, nil
}

func (d *askingServer) Decide(ctx context.Context, r decide.Request) (verdict.Decision, ledger.Entry, error) {
	a, err := d.ask(ctx, r, false)
	if err != nil {
		return verdict.Decision{}, ledger.Entry{}, err
	}
	return *a.Decision, a.Entry.Ledger(), nil
}

func (d *askingServer) Preview(ctx context.Context, r decide.Request) (verdict.Decision, error) {
	a, err := d.ask(ctx, r, true)
	if err != nil {
		return verdict.Decision{}, err
	}
	return *a.Decision, nil
}

func (d *askingServer) notes() []string { return d.told }
