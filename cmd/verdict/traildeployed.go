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
	made, err := t.w.madeOf(ctx, d, t.at)
	if err != nil {
		return nil, err
	}
	rows, err := t.w.ledger.Decisions(ctx, ledger.DecisionQuery{Subject: d, Point: trustPoint, At: t.at, Limit: 1})
	if err != nil {
		return nil, err
	}
	var out []provenance
	add := func(id string) error {
		e, x, err := t.w.ledger.Decision(ctx, id, t.at)
		if err == nil && len(x.From) > 0 {
			out = append(out, provenance{entry: e, artifacts: []verdict.Digest{x.Subject.Digest}, sources: x.From, trusted: true})
		}
		return err
	}
	for _, x := range made {
		if err := add(x.ID); err != nil {
			return nil, err
		}
	}
	for _, r := range rows {
		if err := add(r.ID); err != nil {
			return nil, err
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
		what = string(x.Result) + " in"
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
