package main

import (
	"context"
	"fmt"
	"net/url"

	"verdict"
	"verdict/ledger"
	"verdict/report"
	"verdict/server/wire"
)

// serverSigns reports whether a control plane signs what a person states here: one is named,
// and no key of theirs is.
func (a *app) serverSigns() bool {
	return a.hosted == nil && a.config.Server != "" && a.config.As == ""
}

// send has the server sign the answer to a decision, and tells what the command tells alone.
func (c *answering) send(ctx context.Context, a *app, id string) error {
	s, err := a.access(ctx, "verdict "+string(c.step)+" --help")
	if err != nil {
		return err
	}
	defer s.Close()
	var doc answered
	if c.withdraw != "" {
		if err := s.State(ctx, "/approvals/"+url.PathEscape(c.withdraw)+"/withdraw", wire.Withdrawal{Rationale: c.rationale}, &doc); err != nil {
			return err
		}
		return a.emit(doc, doc.text)
	}
	q := wire.DecisionAnswer{Decision: id, Step: c.step, Scope: c.scope, Rationale: c.rationale, Expires: c.lifetime, DryRun: true}
	if err := s.State(ctx, "/approvals", q, &doc); err != nil { // what is signed is shown before
		return err
	}
	_, d, err := s.Ledger().Decision(ctx, doc.Answer.Decision, ledger.Now)
	if err != nil {
		return err
	}
	fmt.Fprint(report.Lines(a.stderr), shownText(*d, doc.Answer))
	if !c.look {
		q.DryRun, doc = false, answered{}
		if err := s.State(ctx, "/approvals", q, &doc); err != nil {
			return err
		}
	}
	return a.emit(doc, doc.text)
}

// send has the server sign the request for an exception.
func (f *riskFlags) send(ctx context.Context, a *app) error {
	if err := f.check(); err != nil {
		return err
	}
	about, err := a.subjects(ctx, f.digests)
	if err != nil {
		return err
	}
	q := wire.ExceptionRequest{
		Rule: f.rule, Items: f.items, Service: f.service, Environments: f.environments, Versions: f.versions, Rationale: f.rationale, Owner: f.owner,
		Ticket: f.ticket, Controls: f.controls, RequestedBy: f.requested, Expires: f.expiry,
	}
	for _, s := range about {
		q.Digests = append(q.Digests, string(s.Digest))
	}
	s, err := a.access(ctx, seeException)
	if err != nil {
		return err
	}
	defer s.Close()
	var doc exceptionStepped
	if err := s.State(ctx, "/exceptions", q, &doc); err != nil {
		return err
	}
	return a.tellStep(doc)
}

// sendStep has the server sign a further step about an exception, which is shown as it was
// before.
func (a *app) sendStep(ctx context.Context, id string, step verdict.Step, note string) error {
	s, err := a.access(ctx, "verdict exception --help")
	if err != nil {
		return err
	}
	defer s.Close()
	var shown shownException
	if err := s.Exception(ctx, id, &shown); err != nil {
		return err
	}
	at := "/exceptions/" + url.PathEscape(shown.ID)
	var doc exceptionStepped
	if step == verdict.StepRevoke {
		err = s.State(ctx, at+"/revoke", wire.Rationale{Rationale: note}, &doc)
	} else {
		err = s.State(ctx, at+"/approve", wire.ExceptionApproval{Note: note}, &doc)
	}
	if err != nil {
		return err
	}
	fmt.Fprint(report.Lines(a.stderr), shown.text(report.Style{Width: 100}))
	return a.tellStep(doc)
}

// send has the server sign an emergency.
func (c *glass) send(ctx context.Context, a *app, subject verdict.Subject) error {
	s, err := a.access(ctx, seeGlass)
	if err != nil {
		return err
	}
	defer s.Close()
	var doc glassBroken
	q := wire.Emergency{Subject: subject, Service: c.service, Environment: c.environment, Incident: c.incident, Rationale: c.rationale, Expires: c.lifetime}
	if err := s.State(ctx, "/break-glass", q, &doc); err != nil {
		return err
	}
	return a.emit(doc, func(s report.Style) string { return doc.text(s, subject) })
}

// sendReview has the server sign the review of an emergency.
func (c *glass) sendReview(ctx context.Context, a *app, id string) error {
	s, err := a.access(ctx, "verdict break-glass review --help")
	if err != nil {
		return err
	}
	defer s.Close()
	var doc glassBroken
	if err := s.State(ctx, "/break-glass/"+url.PathEscape(id)+"/review", wire.Rationale{Rationale: c.review}, &doc); err != nil {
		return err
	}
	return a.emit(doc, doc.reviewText)
}
