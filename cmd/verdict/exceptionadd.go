package main

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"verdict"
	"verdict/decide"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/policy"
)

// riskFlags are what an exception is made of, as it is typed.
type riskFlags struct {
	rule, service, versions                               string
	items, environments, digests                          []string
	rationale, owner, ticket, controls, requested, expiry string
}

const seeException = "verdict exception add --help"

func exceptionAddCommand() command {
	return command{
		use: "add", short: "Ask to have a risk accepted, which another person then does",
		long: "Files the request, signed by the person whose key --as names. It counts for nothing until another person accepts exactly these terms: verdict exception approve ID. So it ends with 5.\n\n" +
			"A selector that means nothing is refused: a rule that no deploy point has, a service or environment that is not in the map, a rule or finding that neither a latest decision about the service there nor an open finding of what runs has, a digest that the log does not know. " +
			"So ask the gate first: its answer names what to accept. Points before deployment have no exceptions: what they refuse is unsafe wherever it runs.\n\n" +
			"A range of versions is judged by the git tag from which the artifact was built, as its trusted provenance says (refs/tags/v1.2.3); the tag of an image says nothing.",
		example: "verdict exception add --as alma --rule deploy.gate.sla --item 'CVE-2026-1 pkg:npm/x@1.0.0' --service payments-api --env production " +
			"--digest sha256:… --rationale 'no fix yet, not reachable' --owner payments --expires 30d",
		formats: textOrJSON, signed: true,
		setup: func(f *flags) runner {
			x := &riskFlags{}
			f.required(&x.rule, "rule", "RULE", "the rule that fails, as the decision names it")
			f.list(&x.items, "item", "KEY", "a finding of the rule, by its key; none: whatever the rule finds, where it finds something now")
			f.required(&x.service, "service", "NAME", "the service that bears the risk")
			f.list(&x.environments, "env", "NAME", "an environment in which it is borne; needed, repeatable")
			f.must("env")
			f.list(&x.digests, "digest", "DIGEST", "an artifact or plan that it covers: by its digest, as an image or as a file")
			f.text(&x.versions, "versions", "RANGE", "versions that it covers, in place of digests: '>=1.2.0 <2.0.0', or *")
			f.either("digest", "versions")
			f.required(&x.rationale, "rationale", "TEXT", "why the risk can be borne")
			f.required(&x.owner, "owner", "NAME", "the person or team that bears it")
			f.text(&x.ticket, "ticket", "ID", "where it is worked on")
			f.text(&x.controls, "controls", "TEXT", "what is done instead: compensating controls")
			f.text(&x.requested, "requested-by", "PERSON", "who asks for it, where that is not who files it; default: the person of the key")
			f.required(&x.expiry, "expires", "TIME", "until when: 30d, or a time")
			return func(ctx context.Context, a *app, _ []string) error { return a.addException(ctx, x) }
		},
	}
}

func (a *app) addException(ctx context.Context, f *riskFlags) (err error) {
	if a.serverSigns() {
		return f.send(ctx, a)
	}
	p, rules, err := a.asSignatory(ctx, "verdict exception add")
	if err != nil {
		return err
	}
	defer p.w.end(&err)
	x, err := f.exception(ctx, p)
	if err != nil {
		return err
	}
	if err := p.may(ctx, verdict.KindException, verdict.StepRequest, x.Service, x.Environments...); err != nil {
		return err
	}
	if err := p.selects(ctx, x, rules); err != nil {
		return err
	}
	doc, err := p.request(ctx, x)
	if err != nil {
		return err
	}
	return a.tellStep(doc)
}

// check refuses flags that are too long, or that leave each other no meaning.
func (f *riskFlags) check() error {
	if len(f.digests) > 0 && f.versions != "" {
		return usage(seeException, "it takes either --digest or --versions", "name what it covers: --digest sha256:… for these artifacts, or --versions '>=1.2.0 <2.0.0' for a range")
	}
	return bounded(seeException, [2]string{"rationale", f.rationale}, [2]string{"owner", f.owner})
}

// exception is what the flags say.
func (f *riskFlags) exception(ctx context.Context, p *signatory) (verdict.Exception, error) {
	x := verdict.Exception{
		Rule: f.rule, Items: f.items, Service: f.service, Environments: f.environments, Versions: f.versions, Rationale: f.rationale, Controls: f.controls,
		Ticket: f.ticket, Owner: f.owner, RequestedBy: first(f.requested, p.key.Person), Created: p.now,
	}
	if err := f.check(); err != nil {
		return x, err
	}
	about, err := p.w.app.subjects(ctx, f.digests)
	if err != nil {
		return x, err
	}
	for _, s := range about {
		x.Digests = append(x.Digests, s.Digest)
	}
	x.Expires, err = until(f.expiry, p.now, seeException)
	return x, err
}

// requestable refuses what nobody could approve.
func (p *signatory) requestable(ctx context.Context, x verdict.Exception) error {
	if _, known := p.Map.People[x.RequestedBy]; !known {
		return &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%q, who is said to ask for it, is not under people: of the map", x.RequestedBy),
			Remedy: meant(x.RequestedBy, slices.Sorted(maps.Keys(p.Map.People)), "--requested-by ", "name a person by the id that verdict people list shows"),
		}
	}
	if why := p.UnfitException(x); why != "" {
		return &verdict.Error{Code: verdict.CodeRefused, What: "the exception would count for nothing: " + why, Remedy: "keep to the limits under exceptions: of the map (verdict map show)"}
	}
	return p.overlaps(ctx, x)
}

// request records the request for an exception.
func (p *signatory) request(ctx context.Context, x verdict.Exception) (doc exceptionStepped, err error) {
	if err := p.requestable(ctx, x); err != nil {
		return doc, err
	}
	if x.ID, err = p.w.app.newID("x-"); err != nil {
		return doc, err
	}
	doc = exceptionStepped{
		Schema: "verdict.exception-step/v1", Exception: verdict.ExceptionStep{Exception: x.Terms(), Said: p.said(verdict.StepRequest, "")}, Needs: 1, Approved: []string{},
		Told: []string{"who may: " + approversText(p.Map, x.Service)},
	}
	if p.Critical(x.Service) {
		doc.Needs = 2
	}
	doc.Entry, err = p.stateException(ctx, doc.Exception)
	return doc, err
}

// selects refuses an exception of which a selector means nothing: whoever wrote it would
// believe that it covers something.
func (p *signatory) selects(ctx context.Context, x verdict.Exception, b *policy.Bundle) error {
	service, known := p.Map.Services[x.Service]
	if !known {
		return selectsNothing("service", x.Service, slices.Sorted(maps.Keys(p.Map.Services)), listedOr(slices.Sorted(maps.Keys(p.Map.Services)), "declare it under services: in the map"))
	}
	for _, e := range x.Environments {
		if _, known := p.Map.Environments[e]; !known {
			return selectsNothing("environment", e, slices.Sorted(maps.Keys(p.Map.Environments)), listedOr(slices.Sorted(maps.Keys(p.Map.Environments)), "declare it under environments: in the map"))
		}
		if len(service.Environments) > 0 && !slices.Contains(service.Environments, e) {
			return selectsNothing("environment of "+x.Service, e, service.Environments, "add it to the environments: of the service in the map")
		}
	}
	rules, early := deployRules(p.Map, b)
	switch {
	case slices.Contains(rules, x.Rule):
	case slices.Contains(early, x.Rule):
		return &verdict.Error{
			Code: verdict.CodeRefused, What: x.Rule + " is a rule of a point before deployment, where there are no exceptions: what it refuses is unsafe wherever it runs",
			Remedy: "fix it; where it is a false positive, state that: verdict help false-positives",
		}
	default:
		return selectsNothing("rule of a deploy point", x.Rule, rules, "write it as the decision names it: verdict why DECISION")
	}
	for _, d := range x.Digests {
		found, err := p.w.ledger.Find(ctx, ledger.Query{Subject: d, At: ledger.Now, Limit: 1})
		if err != nil {
			return err
		}
		if len(found) == 0 {
			return selectsNothing("digest in the log", string(d), nil, "name the digest that was decided on: verdict trail, or verdict why DECISION")
		}
	}
	return p.selectsItems(ctx, x, b)
}

func selectsNothing(what, word string, known []string, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("the exception would cover nothing: there is no %s %q", what, word), Remedy: meant(word, known, "", remedy)}
}

// deployRules are the rules that deploy points decide by, and those of other points alone.
func deployRules(m *decisionmap.Map, b *policy.Bundle) (deploy, other []string) {
	deploy = []string{decide.EvidenceMissing}
	for _, point := range m.Points {
		for _, selector := range point.Policy {
			found, _ := b.Select(selector)
			for _, r := range found {
				if point.Layer == verdict.LayerDeploy {
					deploy = append(deploy, r.ID)
				} else {
					other = append(other, r.ID)
				}
			}
		}
	}
	return deploy, other
}

// overlaps refuses an exception beside another that is asked for or holds: of two for one
// risk nobody knows which of them ends it.
func (p *signatory) overlaps(ctx context.Context, x verdict.Exception) error {
	all, err := p.Exceptions(ctx, x.Service, "")
	if err != nil {
		return err
	}
	for _, o := range all {
		state := o.State(p.now)
		if state != decide.ExceptionActive && state != decide.ExceptionRequested || o.Rule != x.Rule || !meet(o.Environments, x.Environments) {
			continue
		}
		items := len(o.Items) == 0 || len(x.Items) == 0 || meet(o.Items, x.Items)
		digests := len(o.Digests) == 0 || len(x.Digests) == 0 || meet(o.Digests, x.Digests)
		if items && digests {
			return &verdict.Error{
				Code: verdict.CodeConflict, What: fmt.Sprintf("%s is %s for the same rule until %s, and would cover the same: verdict exception show %s", o.ID, state, o.Expires.Format("2006-01-02"), o.ID),
				Remedy: "keep to that one; to have other terms, end it first: verdict exception revoke " + o.ID + " --rationale TEXT --as KEY; or name other findings or digests",
			}
		}
	}
	return nil
}

func meet[T comparable](a, b []T) bool {
	return slices.ContainsFunc(a, func(x T) bool { return slices.Contains(b, x) })
}
