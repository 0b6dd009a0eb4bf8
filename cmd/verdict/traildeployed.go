package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/report"
)

// trusted gives the joins of changes and artifacts that artifact.trust took for true, on
// either side of a subject.
func (t *trailer) trusted(ctx context.Context, d verdict.Digest) ([]provenance, error) {
	any, err := t.w.ledger.Find(ctx, ledger.Query{Subject: d, Kind: verdict.KindDecision, Point: trustPoint, At: t.at, Limit: 1})
	if err != nil || len(any) == 0 {
		return nil, err
	}
	l, err := t.w.look(ctx, t.at, t.w.app.config.At)
	if err != nil {
		return nil, err
	}
	all, err := l.madeOf(ctx, d)
	if err != nil {
		return nil, err
	}
	itself, err := l.trustedAs(ctx, d)
	if err != nil {
		return nil, err
	}
	if itself != nil {
		all = append(all, *itself)
	}
	var out []provenance
	for _, x := range all {
		e, _, err := t.w.ledger.Decision(ctx, x.ID, t.at)
		if err != nil {
			return nil, err
		}
		if len(x.From) > 0 {
			out = append(out, provenance{entry: e, artifacts: []verdict.Digest{x.Subject.Digest}, sources: x.From, trusted: true})
		}
	}
	return out, nil
}

// joins puts what artifact.trust took in the place of the statements that say the same.
func joins(stated, trusted []provenance) []provenance {
	out := slices.Clone(trusted)
	for _, s := range stated {
		said := func(t provenance) bool {
			return !slices.ContainsFunc(s.artifacts, func(d verdict.Digest) bool { return !slices.Contains(t.artifacts, d) }) &&
				!slices.ContainsFunc(s.sources, func(d verdict.Digest) bool { return !slices.Contains(t.sources, d) })
		}
		if !slices.ContainsFunc(trusted, said) {
			out = append(out, s)
		}
	}
	return out
}

// isAbout reports whether a subject of the entry has the digest: a decision is also found
// by what its subject was made from.
func isAbout(e ledger.Entry, d verdict.Digest) bool {
	return slices.ContainsFunc(e.Subjects, func(s verdict.Subject) bool { return s.Digest == d || slices.Contains(s.Also, d) })
}

// sideOf puts what happened to an artifact behind what was said about it.
func sideOf(k verdict.Kind, side report.Side) report.Side {
	if side == report.Asked && slices.Contains(placed, k) {
		return report.After
	}
	return side
}

// placedWords says where an artifact was deployed, or what came of it.
func placedWords(s *evidence.Statement, n *report.TrailNode) {
	var x struct {
		verdict.Aftermath
		Rollback bool `json:"rollback"`
	}
	if err := s.Decode(&x); err != nil || x.Environment == "" {
		n.Unknown = "the statement does not say where it was deployed"
		return
	}
	what := "deployed into"
	if s.Kind() == verdict.KindOutcome {
		what = first(came[x.Result], string(x.Result)) + " in"
	}
	claim := strings.TrimPrefix(n.Summary, string(n.Recorded.Kind))
	n.Summary = fmt.Sprintf("%s %s as %s%s", what, x.Environment, x.Service, claim)
	if x.Rollback {
		n.Summary += ", going back to it"
	}
	switch {
	case x.Decision != "":
		n.Summary += ", by " + x.Decision
	case s.Kind() == verdict.KindDeployment:
		n.Summary += ", naming no promotion"
	}
	if x.Detail != "" {
		n.Summary += ": " + x.Detail
	}
}

// placedTold is placedWords where there is no trail.
func placedTold(s *evidence.Statement) string {
	n := report.TrailNode{Summary: string(s.Kind()), Recorded: verdict.Ref{Kind: s.Kind()}}
	placedWords(s, &n)
	return first(n.Unknown, n.Summary)
}
