package main

import (
	"context"
	"fmt"
	"net/http"

	"verdict"
	"verdict/identity"
	"verdict/server"
	"verdict/server/wire"
)

const aboutStated = "The caller is a person who signed in, whom the released map has under `people:`; an API token, a machine or a session that a key gave states nothing here. " +
	"The server signs in his name where the map lets it (`for: people` under `trust:`), and what would not count is refused and not recorded."

// signedFor adds a route by which a person states something. It runs the command that does so
// with a key, in an app whose signatory is the caller.
func signedFor[P, D any](h *host, s *server.Server, path, id, like, summary string, verb identity.Verb, run func(*P) func(context.Context, *app) error) {
	type out struct{ Body doc[D] }
	server.Route(s, server.Operation{Method: http.MethodPost, Path: path, ID: id, Summary: summary, About: aboutStated + " " + writtenBy(like), Tag: "people", Verb: verb},
		func(ctx context.Context, c identity.Caller, p *P) (*out, error) {
			b, err := h.documented(ctx, c, "", run(p))
			if err != nil {
				return nil, err
			}
			return &out{doc[D]{b}}, nil
		})
}

// ByID names what a path is about.
type ByID struct {
	ID string `path:"id" maxLength:"100" doc:"the id, or a beginning of it that is unique"`
}

// peopleRoutes add what persons state about accepted risk.
func (h *host) peopleRoutes(s *server.Server) {
	type answer struct{ Body wire.DecisionAnswer }
	signedFor[answer, answered](h, s, "/approvals", "answer-decision", "approve", "Approve or reject what a decision wants reviewed", identity.Approving,
		func(p *answer) func(context.Context, *app) error {
			q := p.Body
			c := &answering{step: q.Step, decision: q.Decision, scope: q.Scope, rationale: q.Rationale, lifetime: q.Expires, look: q.DryRun}
			return func(ctx context.Context, a *app) error { return c.run(ctx, a, nil) }
		})
	type withdraw struct {
		ByID
		Body wire.Withdrawal
	}
	signedFor[withdraw, answered](h, s, "/approvals/{id}/withdraw", "withdraw-answer", "approve", "Take an approval or rejection of one's own back", identity.Approving,
		func(p *withdraw) func(context.Context, *app) error {
			c := &answering{step: verdict.StepApprove, withdraw: p.ID, rationale: p.Body.Rationale}
			return func(ctx context.Context, a *app) error { return c.run(ctx, a, nil) }
		})
	h.exceptionRoutes(s)
	h.glassRoutes(s)
}

func (h *host) exceptionRoutes(s *server.Server) {
	type ask struct{ Body wire.ExceptionRequest }
	signedFor[ask, exceptionStepped](h, s, "/exceptions", "ask-exception", "exception add", "Ask to have a risk accepted, which another person then does", identity.Requesting,
		func(p *ask) func(context.Context, *app) error {
			q := p.Body
			x := &riskFlags{
				rule: q.Rule, service: q.Service, versions: q.Versions, items: q.Items, environments: q.Environments, digests: q.Digests, rationale: q.Rationale,
				owner: q.Owner, ticket: q.Ticket, controls: q.Controls, requested: q.RequestedBy, expiry: q.Expires,
			}
			return func(ctx context.Context, a *app) error { return a.addException(ctx, x) }
		})
	type note struct {
		ByID
		Body wire.ExceptionApproval
	}
	signedFor[note, exceptionStepped](h, s, "/exceptions/{id}/approve", "approve-exception", "exception approve", "Accept a risk that another person asked to have accepted", identity.Waiving,
		func(p *note) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				return a.stepException(ctx, p.ID, verdict.StepApprove, p.Body.Note)
			}
		})
	type end struct {
		ByID
		Body wire.Rationale
	}
	signedFor[end, exceptionStepped](h, s, "/exceptions/{id}/revoke", "revoke-exception", "exception revoke", "End an exception before its day", identity.Waiving,
		func(p *end) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				return a.stepException(ctx, p.ID, verdict.StepRevoke, p.Body.Rationale)
			}
		})
	type show struct {
		ByID
		AsOf
	}
	question[show, shownException](h, s, "/exceptions/{id}", "exception", "exception show", "An exception, with the steps that persons took about it",
		func(p *show) string { return p.At },
		func(p *show) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error { return a.showException(ctx, p.ID) }
		})
}

func (h *host) glassRoutes(s *server.Server) {
	type open struct{ Body wire.Emergency }
	signedFor[open, glassBroken](h, s, "/break-glass", "break-glass", "break-glass open", "Let one artifact or plan in during an emergency, visibly", identity.Breaking,
		func(p *open) func(context.Context, *app) error {
			q := p.Body
			c := &glass{environment: q.Environment, service: q.Service, incident: q.Incident, rationale: q.Rationale, lifetime: q.Expires}
			return func(ctx context.Context, a *app) error {
				if err := letInOf(q.Subject); err != nil {
					return err
				}
				return c.letIn(ctx, a, q.Subject)
			}
		})
	type review struct {
		ByID
		Body wire.Rationale
	}
	signedFor[review, glassBroken](h, s, "/break-glass/{id}/review", "review-break-glass", "break-glass review", "Look at an emergency afterwards, as another person", identity.Breaking,
		func(p *review) func(context.Context, *app) error {
			c := &glass{review: p.Body.Rationale}
			return func(ctx context.Context, a *app) error { return c.look(ctx, a, p.ID) }
		})
	type list struct {
		Open        bool   `query:"open" doc:"only those that are not reviewed"`
		Service     string `query:"service" maxLength:"100" doc:"only of this service"`
		Environment string `query:"environment" maxLength:"100" doc:"only of this environment"`
		AsOf
	}
	question[list, glassList](h, s, "/break-glass", "list-break-glass", "break-glass list", "The emergencies, and which of them nobody has reviewed",
		func(p *list) string { return p.At },
		func(p *list) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				return a.listEmergencies(ctx, p.Open, p.Service, p.Environment)
			}
		})
}

// letInOf refuses what no emergency lets in: it is one artifact or plan, by its digest.
func letInOf(s verdict.Subject) error {
	_, err := verdict.ParseDigest(string(s.Digest))
	if err != nil {
		return err
	}
	if len(s.Name) > maxText {
		return usage("GET /openapi.json", fmt.Sprintf("the name of what is let in is longer than %d bytes", maxText), "name it shorter: the digest says what it is")
	}
	if s.Kind != verdict.SubjectArtifact && s.Kind != verdict.SubjectPlan {
		return usage("GET /openapi.json", fmt.Sprintf("%.40q is no kind of what is let in", s.Kind), fmt.Sprintf("say %s or %s, with its digest", verdict.SubjectArtifact, verdict.SubjectPlan))
	}
	return nil
}
