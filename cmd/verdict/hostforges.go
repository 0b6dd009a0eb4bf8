package main

import (
	"bytes"
	"context"
	"maps"
	"net/url"
	"slices"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/deploy"
	"verdict/forge"
	"verdict/git"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
	"verdict/server"
)

// triggerForge is what a decision that a forge asked for says of who asked.
const triggerForge = "forge"

// webhooks joins a server to the forges of a file.
func (h *host) webhooks(s *server.Server, path string, public *url.URL) (*server.Webhooks, error) {
	sources, err := h.app.forgesFrom(path)
	if err != nil {
		return nil, err
	}
	w, err := server.NewWebhooks(server.WebhookOptions{
		Sources: sources, Store: h.base.store, Records: h.base.own, Asker: forgeAsker{h}, Summary: h.summaryOf,
		Page: func(id string) string {
			return public.JoinPath(server.Prefix, "why").String() + "?ref=" + url.QueryEscape(id)
		},
		Now: h.app.now, Rand: h.app.rand, Logger: h.app.log,
	})
	if err != nil {
		return nil, err
	}
	w.Mount(s)
	return w, nil
}

// summaryOf is a decision in Markdown, as a pipeline's summary has it.
func (h *host) summaryOf(d verdict.Decision) string {
	var out bytes.Buffer
	if err := report.Write(&out, "markdown", report.Run{Version: version(), At: h.base.now(), Decisions: []verdict.Decision{d}}); err != nil {
		return "The decision could not be written: verdict why " + d.ID
	}
	return out.String()
}

// forgeAsker answers what forges ask by the map in force, and as the server itself: what a
// forge may ask about is what the map says that is built from its repository.
type forgeAsker struct{ h *host }

func (f forgeAsker) Services(ctx context.Context, address string) ([]server.Served, error) {
	d, err := f.h.desk(ctx, nil)
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
	for _, name := range slices.Sorted(maps.Keys(d.judged.Map.Services)) {
		if sameRepository(d.judged.Map.Services[name].Repo, address) {
			out = append(out, server.Served{Name: name, Points: points})
		}
	}
	return out, nil
}

// sameRepository compares two addresses of a repository as people write them: with and
// without .git, in any case, by HTTPS or SSH.
func sameRepository(a, b string) bool {
	plain := func(address string) string {
		address = strings.ToLower(git.Address(address))
		if _, rest, ok := strings.Cut(address, "://"); ok {
			address = rest
		} else if host, path, ok := strings.Cut(address, ":"); ok {
			address = host + "/" + strings.TrimPrefix(path, "/")
		}
		return strings.TrimSuffix(strings.TrimRight(strings.TrimPrefix(address, "git@"), "/"), ".git")
	}
	return plain(a) != "" && plain(a) == plain(b)
}

func (f forgeAsker) Counts(ctx context.Context, e ledger.Entry, d *verdict.Decision) (bool, error) {
	desk, err := f.h.desk(ctx, nil)
	if err != nil {
		return false, err
	}
	p, ok := desk.judged.Map.Point(d.Point)
	if !ok || e.Foreign || e.Context.Service != d.Service || e.Context.Environment != d.Environment {
		return false, nil
	}
	w, err := f.h.workspaceFor(ctx, f.h.appFor(everything, nil))
	if err != nil {
		return false, err
	}
	counts, err := w.counts(ctx, desk.judged.Map)
	if err != nil {
		return false, err
	}
	return counts(verdict.Kind(p.Produces.Kind), e.Producer, d.Service, d.Environment), nil
}

func (f forgeAsker) Gate(ctx context.Context, q server.GateQuestion) (verdict.Decision, error) {
	d, err := f.h.desk(ctx, nil)
	if err != nil {
		return verdict.Decision{}, err
	}
	who, err := requesterAt(d.judged.Map, q.System, q.Requester)
	if err != nil {
		return verdict.Decision{}, err
	}
	w, err := f.h.workspaceFor(ctx, f.h.appFor(everything, nil))
	if err != nil {
		return verdict.Decision{}, err
	}
	a, err := w.answer(ctx, d, decide.Request{
		Point: gatePoint, Subject: q.Artifact, Service: q.Service, Team: d.judged.Map.Services[q.Service].Team, Environment: q.Environment,
		Trigger: triggerForge, Actor: w.actor(), Requester: who, Run: q.Run,
	})
	if err == nil && (a.NotBuilt || a.Decision == nil) {
		err = errNotBuilt
	}
	if err != nil {
		return verdict.Decision{}, err
	}
	return *a.Decision, nil
}

// requesterAt is who asks for a deployment, as the map knows an account of the forge. One
// that the forge does not tell has a name that no forge gives anybody.
func requesterAt(m *decisionmap.Map, system string, a forge.Account) (*verdict.Requester, error) {
	people, err := deploy.Directory(m)
	if err != nil {
		return nil, err
	}
	name := a.Login
	if name == "" {
		name = "(not told)"
	}
	return deploy.Asker(people, identity.Account{System: identity.System(system), Name: name}), nil
}
