package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/deploy"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
	"verdict/server"
)

// triggerForge is what asked where a forge waits for the answer.
const triggerForge = "deployment protection"

// askedByForges answers what deliveries of forges ask, by the map in force. It is a
// server.Asker.
type askedByForges struct{ h *host }

// Services are those of the map that are built from a repository, with the points that judge
// a change.
func (x askedByForges) Services(ctx context.Context, address string) ([]server.Served, error) {
	d, err := x.h.desk(ctx, nil)
	if err != nil {
		return nil, err
	}
	var points []string
	for _, p := range d.judged.Map.Points {
		if p.Layer == verdict.LayerCode || p.Layer == verdict.LayerCI {
			points = append(points, p.ID)
		}
	}
	var out []server.Served
	services := d.judged.Map.Services
	for _, name := range slices.Sorted(maps.Keys(services)) {
		if sameRepository(services[name].Repo, address) {
			out = append(out, server.Served{Name: name, Points: points})
		}
	}
	return out, nil
}

// sameRepository compares two addresses by host and path. Forges take a path in any case.
func sameRepository(a, b string) bool {
	hostA, pathA, okA := hostAndPath(a)
	hostB, pathB, okB := hostAndPath(b)
	return okA && okB && hostA == hostB && strings.EqualFold(pathA, pathB)
}

// Counts reports whether the map lets who signed a decision take it.
func (x askedByForges) Counts(ctx context.Context, e ledger.Entry, d *verdict.Decision) (bool, error) {
	at, err := x.h.desk(ctx, nil)
	if err != nil {
		return false, err
	}
	w, err := x.h.workspaceFor(ctx, x.h.appFor(everything, nil))
	if err != nil {
		return false, err
	}
	trusted, err := w.trusting(ctx, at.judged.Map)
	if err != nil {
		return false, err
	}
	point, ok := at.judged.Map.Point(d.Point)
	_, counts := trusted(e, point.Produces.Kind, d.Service, d.Environment)
	return ok && counts && !e.Foreign, nil
}

// Gate asks the gate about an artifact for the account that started the deployment.
func (x askedByForges) Gate(ctx context.Context, q server.GateQuestion) (verdict.Decision, error) {
	d, err := x.h.desk(ctx, nil)
	if err != nil {
		return verdict.Decision{}, err
	}
	if d.judged.Released == nil {
		return verdict.Decision{}, &verdict.Error{Code: verdict.CodeUnavailable, What: "no organisation map is released on this server, so no environment is known", Remedy: "have two persons release the map: verdict map release FILE"}
	}
	m := d.judged.Map
	who, err := deploy.Requester(m, deploy.Asking{Account: identity.Account{System: identity.System(q.System), Name: q.Requester.Login}})
	if err != nil {
		return verdict.Decision{}, err
	}
	w, err := x.h.workspaceFor(ctx, x.h.appFor(everything, nil))
	if err != nil {
		return verdict.Decision{}, err
	}
	a, err := w.answer(ctx, d, decide.Request{
		Point: gatePoint, Subject: q.Artifact, Service: q.Service, Team: m.Services[q.Service].Team, Environment: q.Environment,
		Trigger: triggerForge, Actor: w.actor(), Requester: who, Run: q.Run,
	})
	switch {
	case err != nil:
		return verdict.Decision{}, err
	case a.NotBuilt || a.Decision == nil:
		return verdict.Decision{}, errNotBuilt
	}
	return *a.Decision, nil
}

// tellsForges receives what the forges of --forges deliver, and tells them.
func (x *serving) tellsForges(h *host, s *server.Server, owner string) ([]func(context.Context) error, error) {
	if x.forges == "" {
		return nil, nil
	}
	sources, err := h.app.forgesFrom(x.forges)
	if err != nil {
		return nil, err
	}
	hooks, err := server.NewWebhooks(server.WebhookOptions{
		Sources: sources, Store: h.base.store, Records: h.base.own, Asker: askedByForges{h}, Summary: decisionMarkdown, Now: h.app.now, Rand: h.app.rand, Logger: h.app.log,
	})
	if err != nil {
		return nil, err
	}
	hooks.Mount(s)
	return []func(context.Context) error{func(ctx context.Context) error { return hooks.Run(ctx, owner) }}, nil
}

// decisionMarkdown explains a decision in Markdown, as the summary of a pipeline has it.
func decisionMarkdown(d verdict.Decision) string {
	var b strings.Builder
	r := report.Run{Version: version(), At: d.At, Command: "", Decisions: []verdict.Decision{d}}
	if err := report.Write(&b, "markdown", r); err != nil {
		return report.Neutral(string(d.Outcome) + ": " + d.ID)
	}
	return b.String()
}
