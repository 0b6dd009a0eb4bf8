package main

import (
	"context"
	"encoding/json"
	"net/http"

	"verdict"
	"verdict/decisionmap"
	"verdict/deploy/admission"
	"verdict/identity"
	"verdict/report"
	"verdict/server"
	"verdict/server/wire"
)

// shownMap is the document verdict.map-show/v1, as decisionmap.Show writes it.
type shownMap struct {
	Schema  string                        `json:"schema"`
	Digest  verdict.Digest                `json:"digest"`
	Map     map[string]any                `json:"map"`
	Origins map[string]decisionmap.Origin `json:"origins"` // a path that is not here is a default
}

// mapQuestions are about what is judged by, and what would be by a map that a caller sends. That
// one is looked at and kept nowhere.
func (h *host) mapQuestions(s *server.Server) {
	question[AsOf, shownMap](h, s, "/map", "map-in-force", "map show", "The whole map in force, with where each value is from",
		func(p *AsOf) string { return p.At },
		func(*AsOf) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error { return showMap(ctx, a, nil) }
		})
	question[AsOf, policyList](h, s, "/policy", "policy-in-force", "policy show", "Which released rules decide, and which are announced",
		func(p *AsOf) string { return p.At },
		func(*AsOf) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error { return showPolicy(ctx, w, nil) })
		})
	question[AsOf, policyList](h, s, "/policies", "list-policies", "policy list", "Every release of rules, with what became of it",
		func(p *AsOf) string { return p.At },
		func(*AsOf) func(context.Context, *app) error {
			return reads(func(ctx context.Context, w *workspace) error { return listPolicies(ctx, w, nil) })
		})
	type sent struct {
		Body struct {
			Content string `json:"content" minLength:"1" maxLength:"1048576" doc:"the map: YAML, at most 1 MiB"`
		}
	}
	look := func(run func(context.Context, *app) error) func(p *sent) func(context.Context, *app) error {
		return func(p *sent) func(context.Context, *app) error {
			return func(ctx context.Context, a *app) error {
				own := &wire.RepositoryMap{File: decisionmap.FileName, Content: p.Body.Content}
				end, err := h.begin(ctx, own)
				if err != nil {
					return err
				}
				defer end()
				a.hosted.sent = mapText{own.File, []byte(own.Content)}
				return run(ctx, a)
			}
		}
	}
	now := func(*sent) string { return "" }
	inquiry[sent, lintReport](h, s, "map lint", server.Operation{
		Method: http.MethodPost, Path: "/map/lint", ID: "lint-map", Summary: "Check a map against the rules of the architecture", Body: 4 << 20,
		About: " A map that has errors is an answer, and its status 200.",
	}, now, look(func(ctx context.Context, a *app) error { return a.lint(ctx, "") }))
	inquiry[sent, mapDifference](h, s, "map diff", server.Operation{
		Method: http.MethodPost, Path: "/map/diff", ID: "diff-map", Summary: "What a map would change in the one in force", Body: 4 << 20,
		About: " The old one is the map in force, and the new one the map as it would take effect: that of a repository over the released one.",
	}, now, look(func(ctx context.Context, a *app) error {
		d, err := a.wouldChange(ctx, a.hosted.sent)
		if err != nil {
			return err
		}
		return a.emit(d, func(s report.Style) string { return d.text(s) })
	}))
	h.drawingRoute(s)
}

// drawingRoute adds the picture of the map in force. It may be shown alone: its style stands in it.
func (h *host) drawingRoute(s *server.Server) {
	type (
		in struct {
			View string `query:"view" default:"engineer" enum:"engineer,leadership" doc:"for whom it is drawn"`
			AsOf
		}
		out struct {
			Type   string `header:"Content-Type"`
			Policy string `header:"Content-Security-Policy"`
			Body   []byte
		}
	)
	const svg = "image/svg+xml"
	server.Route(s, server.Operation{
		Method: http.MethodGet, Path: "/map/drawing", ID: "draw-map", Summary: "The map in force as a picture: lanes, points, evidence", Tag: "questions", Verb: identity.Reading, Media: svg,
		About: "The picture is made from what decides, so it cannot show another architecture. The leadership view has no names of tools, clouds and clusters.",
	}, func(ctx context.Context, c identity.Caller, p *in) (*out, error) {
		b, err := h.documented(ctx, c, p.At, func(ctx context.Context, a *app) error {
			a.config.Output = []output{{Format: decisionmap.FormatSVG}}
			return a.drawMap(ctx, p.View)
		})
		if err != nil {
			return nil, err
		}
		return &out{Type: svg, Policy: "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'", Body: b}, nil
	})
}

// trialQuestion is how a cluster would be answered about objects. Like every question it is
// answered from what its caller may see.
func (h *host) trialQuestion(s *server.Server) {
	type trial struct {
		Body struct {
			Objects   []json.RawMessage `json:"objects,omitempty" minItems:"1" maxItems:"1000" doc:"objects of Kubernetes, or AdmissionReviews that an API server sent"`
			File      string            `json:"file,omitempty" minLength:"1" doc:"instead of objects: a file of them as text, YAML or JSON, of at most 1,000"`
			Cluster   string            `json:"cluster,omitempty" maxLength:"200" doc:"by its name in the map; default: the only one that the map names"`
			Namespace string            `json:"namespace,omitempty" maxLength:"200" doc:"of objects that name none; default: default"`
			User      string            `json:"user,omitempty" maxLength:"200" doc:"who would ask, by the name that the cluster knows"`
		}
	}
	inquiry[trial, admissionTried](h, s, "admission try", server.Operation{
		Method: http.MethodPost, Path: "/admission/trials", ID: "try-admission", Summary: "How a cluster would be answered about objects", Body: 4 << 20,
		About: " Nothing is recorded, and no cluster is asked. A promotion that the caller may not see is not there for this answer, and is for that of the cluster.",
	}, func(*trial) string { return "" }, func(p *trial) func(context.Context, *app) error {
		return func(ctx context.Context, a *app) error {
			x := &admissionTrial{cluster: p.Body.Cluster, namespace: p.Body.Namespace, user: p.Body.User}
			if (p.Body.File == "") == (len(p.Body.Objects) == 0) {
				return &verdict.Error{Code: verdict.CodeInvalid, What: "a trial is of objects or of a file", Remedy: `send one of them: {"objects":[…]}, or {"file":"…"} with YAML`}
			}
			if p.Body.File != "" {
				requests, err := x.requests([]byte(p.Body.File), maxAsked)
				if err != nil {
					return err
				}
				return x.answer(ctx, a, requests)
			}
			requests := []*admission.Request{}
			for i, raw := range p.Body.Objects {
				r, err := x.request(raw, i+1)
				if err != nil {
					return err
				}
				requests = append(requests, r)
			}
			return x.answer(ctx, a, requests)
		}
	})
}
