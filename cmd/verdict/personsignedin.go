package main

import (
	"context"
	"fmt"
	"strings"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
	"verdict/server/within"
)

// asSignedIn opens the workspace of a request to record what its caller states, who is a person
// of the map and signed in. The server signs for him: an API token or a machine would have
// nobody behind it who has looked.
func (a *app) asSignedIn(ctx context.Context) (*workspace, identity.EnrolledKey, error) {
	c, none := a.hosted.caller, identity.EnrolledKey{}
	switch {
	case !c.SignedIn:
		return nil, none, &verdict.Error{
			Code: verdict.CodeForbidden, What: "this is stated by a person, and who asks is none who signed in: an API token, a machine, or a session that a key or the link of the server gave",
			Remedy: "sign in with the issuer of your organisation: verdict login --server URL; or sign with an enrolled key of your own: --as KEY (verdict people enroll says how to get one)",
		}
	case c.Person == "":
		system, name, _ := strings.Cut(c.Account, ":")
		return nil, none, &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("you are signed in as the account %.200q, which nobody under people: of the map has", c.Account),
			Remedy: fmt.Sprintf("have it added under people: of the map, and the map released (verdict map release FILE): ID: {accounts: {%.20s: [%.200q]}}", system, name),
		}
	}
	w, err := a.openAs(ctx, false)
	if err != nil {
		return nil, none, err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, none, err
	}
	size, err := w.size(ctx, ledger.Now)
	if err != nil {
		return nil, none, err
	}
	k, counts := h.ValidAt(w.signer.KeyID(), size)
	if !counts {
		return nil, none, &verdict.Error{
			Code: verdict.CodeForbidden, What: "the key of this server does not count any more, so nothing counts that it signs for you",
			Remedy: "have the operator give it one that counts: verdict keys list; or sign with an enrolled key of your own: --as KEY",
		}
	}
	return w, k.For(c.Person), nil
}

// may refuses what somebody who is signed in may not state, or what would count for nothing:
// his roles do not allow it, or the map does not let the server speak for people there. Who
// signs with a key of his own is asked for roles where the statement arrives.
func (p *signatory) may(ctx context.Context, kind verdict.Kind, step verdict.Step, service string, environments ...string) error {
	if !p.key.SignedIn {
		return nil
	}
	from := p.w.app.hosted
	about := make([]identity.Object, len(environments))
	for i, e := range environments {
		about[i] = identity.Object{Service: service, Environment: e}
	}
	if err := within.Whose(from.host.teams).May(ctx, from.caller, identity.VerbOf(kind, step), about...); err != nil {
		return err
	}
	h, err := p.w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	server, _ := h.Key(p.key.ID)
	released, err := p.w.releasedMapAt(ctx, ledger.Now)
	if err != nil {
		return err
	}
	for _, m := range []*decisionmap.Map{released, p.Map} {
		if m == nil {
			continue
		}
		why := (&decide.Persons{Map: m}).SpeaksFor(server, kind, service, environments)
		if why == "" {
			continue
		}
		e := &verdict.Error{
			Code: verdict.CodeForbidden, What: "it would count for nothing: " + why,
			Remedy: fmt.Sprintf("sign with an enrolled key of your own: --as KEY (verdict people enroll --help says how to get one); or add this under trust: of the map, have it released (verdict map release FILE, by two persons), and have the gate asked again:\n"+
				"  - {name: control plane, key: %q, for: people, kinds: [%s], services: [\"*\"], environments: [\"*\"]}", server.ID, strings.Join(decisionmap.PeopleKinds, ", ")),
		}
		switch _, person := m.People[server.Person]; {
		case person:
			e.Remedy = "have the operator give the server a key that is no person's (verdict serve --help: --signer), and name that one under trust: of the map; or sign with an enrolled key of your own: --as KEY"
		case m != released && released != nil:
			e.Remedy = "have the gate asked again (verdict gate --env " + report.Neutral(strings.Join(environments, ",")) + " --service " + report.Neutral(service) + " REF), and answer its decision, for this one is by an older map; if that has the same map, its repository has a trust: of its own, which lacks the entry: verdict map show"
		}
		return e
	}
	return nil
}
