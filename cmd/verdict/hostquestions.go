package main

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"verdict/identity"
	"verdict/report"
	"verdict/server"
)

// doc is an answer of the API that a command wrote: the document that it gives with -o json,
// which is a D. The API's own document describes it by that type.
type doc[D any] struct{ written []byte }

// MarshalJSON gives the document as it was written.
func (d doc[D]) MarshalJSON() ([]byte, error) { return d.written, nil }

// Schema is that of D.
func (doc[D]) Schema(r huma.Registry) *huma.Schema {
	return r.Schema(reflect.TypeFor[D](), true, "document")
}

// AsOf is the moment that a question is asked of.
type AsOf struct {
	At string `query:"at" maxLength:"40" doc:"as it was: the log's size, a time (RFC 3339), or how long ago (90m, 2h, 7d); default: now"`
}

type aboutRef struct {
	Ref string `query:"ref" required:"true" minLength:"1" maxLength:"512" doc:"a digest, an image as NAME@sha256:…, a commit by all of its digits, or the id of a decision"`
	AsOf
}

// question adds a route that answers as a reading command does, within the caller's scope. like
// is the command, as it is typed behind verdict.
func question[P any, D any](h *host, s *server.Server, path, id, like, summary string, at func(*P) string, run func(*P) func(ctx context.Context, a *app) error) {
	inquiry[P, D](h, s, like, server.Operation{Method: http.MethodGet, Path: path, ID: id, Summary: summary}, at, run)
}

// inquiry adds an operation that answers as a reading command does. It records nothing, whatever
// its method is.
func inquiry[P any, D any](h *host, s *server.Server, like string, o server.Operation, at func(*P) string, run func(*P) func(ctx context.Context, a *app) error) {
	type out struct{ Body doc[D] }
	o.Tag, o.Verb, o.Once = "questions", identity.Reading, true
	o.About = writtenBy(like) + " What lies outside of the caller's scope is left out, as if it were not there." + o.About
	server.Route(s, o, func(ctx context.Context, c identity.Caller, p *P) (*out, error) {
		b, err := h.documented(ctx, c, at(p), run(p))
		if err != nil {
			return nil, err
		}
		return &out{doc[D]{b}}, nil
	})
}

// writtenBy says whose document an answer is.
func writtenBy(command string) string {
	return "The document is the one that `verdict " + command + "` writes as JSON."
}

// reads opens the workspace of a request for what reads it.
func reads(r func(ctx context.Context, w *workspace) error) func(context.Context, *app) error {
	return func(ctx context.Context, a *app) error {
		w, err := a.openExisting(ctx)
		if err != nil {
			return err
		}
		defer w.close()
		return r(ctx, w)
	}
}

// questions adds what the reading commands answer.
func (h *host) questions(s *server.Server) {
	question[aboutRef, report.Explanation](h, s, "/why", "why", "why", "Explain a decision, or what was decided about a commit or artifact",
		func(p *aboutRef) string { return p.At },
		func(p *aboutRef) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error { return why(ctx, a, []string{p.Ref}) }
		})
	question[aboutRef, report.TrailDocument](h, s, "/trail", "trail", "trail", "The chain of evidence and decisions that a commit or artifact belongs to",
		func(p *aboutRef) string { return p.At },
		func(p *aboutRef) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error { return trail(ctx, a, []string{p.Ref}) }
		})
	h.placeQuestions(s)
	h.riskQuestions(s)
	h.artifactQuestions(s)
	h.mapQuestions(s)
	h.trialQuestion(s)
	h.keyQuestions(s)
}

type oneEnvironment struct {
	Environment string `path:"environment" maxLength:"100" doc:"as the map names it"`
	AsOf
}

// placeQuestions are about what runs where.
func (h *host) placeQuestions(s *server.Server) {
	listed := func(args ...string) func(context.Context, *app) error {
		return reads(func(ctx context.Context, w *workspace) error { return environments(ctx, w, args) })
	}
	question[AsOf, report.Environments](h, s, "/environments", "list-environments", "environments", "What is at stake in each environment, and how much runs there",
		func(p *AsOf) string { return p.At }, func(*AsOf) func(context.Context, *app) error { return listed() })
	question[oneEnvironment, report.Environments](h, s, "/environments/{environment}", "environment", "environments", "What runs in an environment, and what let it in",
		func(p *oneEnvironment) string { return p.At }, func(p *oneEnvironment) func(context.Context, *app) error { return listed(p.Environment) })
	type between struct {
		Environment string `path:"environment" maxLength:"100" doc:"as the map names it"`
		From        string `query:"from" required:"true" minLength:"1" maxLength:"40" doc:"the log's size, a time (RFC 3339), or how long ago (90m, 2h, 7d)"`
		To          string `query:"to" default:"now" minLength:"1" maxLength:"40" doc:"the same; now: the end of the log"`
	}
	question[between, report.Changes](h, s, "/environments/{environment}/changes", "changes", "diff", "What changed in an environment between two times",
		func(*between) string { return "" },
		func(p *between) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error {
				return changes(ctx, w, []string{p.Environment, p.From, p.To})
			})
		})
	type where struct {
		What        string `query:"what" maxLength:"512" doc:"a package URL, whose version may be a range, or the id of an advisory"`
		Licence     string `query:"licence" maxLength:"100" doc:"components under this licence of SPDX instead"`
		Component   string `query:"component" maxLength:"200" doc:"components whose name holds this instead"`
		Environment string `query:"environment" maxLength:"100" doc:"only what runs there"`
		Running     bool   `query:"running" doc:"only what is stated to run"`
		Limit       int64  `query:"limit" default:"50" minimum:"1" maximum:"10000" doc:"artifacts of each list that are told; the rest is counted"`
		AsOf
	}
	question[where, whereFound](h, s, "/where", "where-runs", "where", "What contains a component, what of that runs, where, and whose it is",
		func(p *where) string { return p.At },
		func(p *where) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				x := &whereFlags{licence: p.Licence, name: p.Component, environment: p.Environment, running: p.Running, limit: p.Limit}
				var args []string
				if p.What != "" {
					args = []string{p.What}
				}
				return x.run(ctx, a, args)
			}
		})
}

// riskQuestions are about what was found and what was accepted.
func (h *host) riskQuestions(s *server.Server) {
	type findings struct {
		All bool `query:"all" doc:"closed ones too"`
		AsOf
	}
	question[findings, foundFindings](h, s, "/findings", "list-findings", "findings list", "The open findings of what runs, and whose they are",
		func(p *findings) string { return p.At },
		func(p *findings) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error { return a.listFindings(ctx, p.All) }
		})
	type exceptions struct {
		Active      bool   `query:"active" doc:"only those that hold"`
		Service     string `query:"service" maxLength:"100" doc:"only of this service"`
		Environment string `query:"environment" maxLength:"100" doc:"only of this environment"`
		AsOf
	}
	question[exceptions, exceptionsAt](h, s, "/exceptions", "list-exceptions", "exception list", "Which risks are accepted, where, by whom and until when",
		func(p *exceptions) string { return p.At },
		func(p *exceptions) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				return a.listExceptions(ctx, p.Active, p.Service, p.Environment)
			}
		})
	type Accepted struct {
		Service     string `query:"service" maxLength:"100" doc:"only of this service"`
		Environment string `query:"environment" maxLength:"100" doc:"only of this environment"`
		AsOf
	}
	inquiry[Accepted, vexDocument](h, s, "exception export --format openvex", server.Operation{
		Method: http.MethodGet, Path: "/exceptions/openvex", ID: "exceptions-openvex", Summary: "The vulnerabilities whose risk is accepted, as OpenVEX",
		About: " Exceptions that name no vulnerability of a component are not in it: `GET /exceptions` has all.",
	},
		func(p *Accepted) string { return p.At },
		func(p *Accepted) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error {
				return w.exportExceptions(ctx, formatOpenVEX, p.Service, p.Environment, "", "")
			})
		})
	type exempted struct {
		Assignment string `query:"assignment" required:"true" minLength:"1" maxLength:"512" doc:"the policy assignment in Azure that is exempted from"`
		Scope      string `query:"scope" maxLength:"512" doc:"the resource in Azure that is exempted; default: where the template is deployed"`
		Accepted
	}
	question[exempted, []exemption](h, s, "/exceptions/azure-policy", "exceptions-azure-policy", "exception export --format azure-policy", "The accepted risks as exemptions of Azure Policy",
		func(p *exempted) string { return p.At },
		func(p *exempted) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error {
				return w.exportExceptions(ctx, formatAzure, p.Service, p.Environment, p.Assignment, p.Scope)
			})
		})
}
