package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/ledger"
	"verdict/report"
)

// The points whose answers lead an artifact from its commit into an environment.
const (
	trustPoint = "artifact.trust"
	gatePoint  = "deploy.gate"
)

// promotionOf finds what let a deployment in, as far as the log tells at a position: the
// decision that it names, else the answer of the gate that stood when it happened. Only
// answers count whose signer the map trusts with them.
func (w *workspace) promotionOf(ctx context.Context, m *decisionmap.Map, d verdict.Deployment, at ledger.Position) (report.Promotion, error) {
	p := report.Promotion{ID: d.Decision, Named: d.Decision != ""}
	rows, err := w.gateAnswers(ctx, m, d, at)
	if err != nil {
		return p, err
	}
	if !p.Named {
		if p.ID = stoodAt(rows, d.At); p.ID == "" {
			p.Problem = "no answer of the gate that counts is recorded about it into " + d.Environment
			return p, nil
		}
	}
	_, x, err := w.ledger.Decision(ctx, p.ID, at)
	var e *verdict.Error
	if errors.As(err, &e) && (e.Code == verdict.CodeNotFound || e.Code == verdict.CodeInvalid) {
		p.Problem = "no decision of this log has the id " + p.ID
		return p, nil
	}
	if err != nil {
		return p, err
	}
	p.ID, p.Outcome, p.Enforced, p.Mode, p.At, p.Expires = x.ID, x.Outcome, x.Enforced, x.Mode, x.At, x.Expires
	p.RestedOn, p.Problem = report.RestedOn(*x), deniedEntry(*x, d)
	if p.Problem == "" && !slices.ContainsFunc(rows, func(r ledger.DecisionRow) bool { return r.ID == x.ID }) {
		p.Problem = x.ID + " was signed by somebody whom the map does not trust with promotions of this service there"
	}
	for _, r := range rows { // newest first
		if r.ID == x.ID {
			break
		}
		if p.Problem == "" && !r.At.After(d.At) && r.Enforced != verdict.Allow {
			p.Problem = fmt.Sprintf("the gate took it back before: %s ended with %s", r.ID, r.Outcome)
		}
	}
	if len(rows) > 0 && rows[0].ID != x.ID {
		newer := answerOf(rows[0])
		p.Newer = &newer
	}
	return p, nil
}

// gateAnswers lists the answers of the gate about what is deployed that count, newest first.
func (w *workspace) gateAnswers(ctx context.Context, m *decisionmap.Map, d verdict.Deployment, at ledger.Position) ([]ledger.DecisionRow, error) {
	return w.counting(ctx, m, ledger.DecisionQuery{Subject: d.Digest, Point: gatePoint, Environment: d.Environment, At: at})
}

// counting lists the decisions that a query chooses, newest first, whose signer the map
// trusts with what their point leaves.
func (w *workspace) counting(ctx context.Context, m *decisionmap.Map, q ledger.DecisionQuery) ([]ledger.DecisionRow, error) {
	rows, err := w.ledger.Decisions(ctx, q)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	trusted, err := w.trusting(ctx, m)
	if err != nil {
		return nil, err
	}
	var out []ledger.DecisionRow
	for _, r := range rows {
		e, err := w.ledger.Entry(ctx, r.Index)
		if err != nil {
			return nil, err
		}
		point, _ := m.Point(r.Point)
		if _, ok := trusted(e, point.Produces.Kind, r.Service, r.Environment); ok {
			out = append(out, r)
		}
	}
	return out, nil
}

// stoodAt is the answer that stood at a time, of those that are given with the newest
// first; empty: none did.
func stoodAt(rows []ledger.DecisionRow, t time.Time) string {
	i := slices.IndexFunc(rows, func(r ledger.DecisionRow) bool { return !r.At.After(t) })
	if last := len(rows) - 1; i < 0 && last >= 0 && !rows[last].At.After(t.Add(aheadOfUs)) {
		i = last // by a clock that goes before ours
	}
	if i < 0 {
		return ""
	}
	return rows[i].ID
}

// deniedEntry says why a decision does not let a deployment in; empty when it does.
func deniedEntry(x verdict.Decision, d verdict.Deployment) string {
	switch about := x.Subject.Digest == d.Digest || slices.Contains(x.Subject.Also, d.Digest); {
	case x.Point != gatePoint:
		return fmt.Sprintf("%s is an answer of %s, and no promotion", x.ID, x.Point)
	case !about:
		return x.ID + " is about another artifact"
	case x.Environment != d.Environment:
		return fmt.Sprintf("%s let it into %s, not into %s", x.ID, first(x.Environment, "no environment"), d.Environment)
	case x.Service != "" && x.Service != d.Service:
		return fmt.Sprintf("%s let it in for the service %s, not for %s", x.ID, x.Service, d.Service)
	case x.Enforced != verdict.Allow:
		return fmt.Sprintf("%s ended with %s and did not let it in", x.ID, x.Outcome)
	case d.At.Before(x.At.Add(-aheadOfUs)):
		return fmt.Sprintf("%s was taken after it, at %s", x.ID, x.At.UTC().Format(time.RFC3339))
	case !x.Expires.IsZero() && !d.At.Before(x.Expires):
		return fmt.Sprintf("%s had expired by then, at %s", x.ID, x.Expires.UTC().Format(time.RFC3339))
	}
	return ""
}

// ourWord is one deployment or outcome of ours.
type ourWord[T any] struct {
	Entry ledger.Entry
	What  T
}

// deploymentsOf lists the deployments of a digest, newest first. Those of other logs are
// claims and are not among them, and one that cannot be read says nothing.
func (w *workspace) deploymentsOf(ctx context.Context, d verdict.Digest, at ledger.Position) ([]ourWord[verdict.Deployment], error) {
	return statedOf(ctx, w, verdict.KindDeployment, d, at, func(x verdict.Deployment) bool { return x.Digest == d && x.Environment != "" })
}

// outcomesOf lists what came of the deployments of a digest, newest first.
func (w *workspace) outcomesOf(ctx context.Context, d verdict.Digest, at ledger.Position) ([]ourWord[verdict.Aftermath], error) {
	return statedOf(ctx, w, verdict.KindOutcome, d, at, func(x verdict.Aftermath) bool { return x.Digest == d && x.Result.Valid() })
}

func statedOf[T any](ctx context.Context, w *workspace, kind verdict.Kind, d verdict.Digest, at ledger.Position, fits func(T) bool) ([]ourWord[T], error) {
	entries, err := w.findAll(ctx, ledger.Query{Kind: kind, Subject: d, At: at})
	if err != nil {
		return nil, err
	}
	var out []ourWord[T]
	for _, e := range entries {
		var x T
		if e.Foreign || e.Pruned {
			continue
		}
		if err := w.decode(ctx, e.Index, &x); ctx.Err() != nil {
			return nil, err
		} else if err != nil || !fits(x) {
			continue
		}
		out = append(out, ourWord[T]{e, x})
	}
	return out, nil
}

// judge says whether the map lets the signer of an entry state something of a kind about a
// service in an environment, and under which name his key is enrolled.
type judge func(e ledger.Entry, kind, service, environment string) (name string, trusted bool)

func (w *workspace) trusting(ctx context.Context, m *decisionmap.Map) (judge, error) {
	keys, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	name := namesOf(keys)
	return func(e ledger.Entry, kind, service, environment string) (string, bool) {
		by := decisionmap.Signer{Key: e.Signer, KeyName: name(e.Signer, ledger.Position(e.Index))}
		return first(by.KeyName, e.Signer), kind != "" && m.Trusts(by, kind, service, environment)
	}, nil
}

// deploymentOf is the deployment that a row is from.
func deploymentOf(r ledger.RunningRow) verdict.Deployment {
	return verdict.Deployment{Decision: r.Decision, Environment: r.Environment, Service: r.Service, Name: r.Name, Digest: r.Digest, At: r.At}
}
