package main

import (
	"context"
	"slices"

	"verdict"
	"verdict/deploy/admission"
	"verdict/ledger"
)

// namedLog is the log of a server as far as some requests need it: all of its promotions
// would be too many to fetch for one answer.
type namedLog struct {
	book
	digests []verdict.Digest
	names   []string // of images without a digest
}

// lookedThrough is how many of the newest promotions to an environment are looked through for
// one of a name, and how many decisions about one digest are read.
const lookedThrough = 1000

// SignedDecisions lists what was decided about the digests, oldest first.
func (l namedLog) SignedDecisions(ctx context.Context, point, environment string, _, to ledger.Position) (out []ledger.SignedDecision, err error) {
	digests := slices.Clone(l.digests)
	if len(l.names) > 0 {
		rows, err := l.Decisions(ctx, ledger.DecisionQuery{Point: point, Environment: environment, Outcome: verdict.Allow, At: to, Limit: lookedThrough})
		if err != nil {
			return nil, err
		}
		for _, name := range l.names {
			if i := slices.IndexFunc(rows, func(r ledger.DecisionRow) bool { return admission.SameName(r.Name, name) }); i >= 0 {
				digests = append(digests, rows[i].Subject)
			}
		}
	}
	slices.Sort(digests)
	for _, d := range slices.Compact(digests) {
		rows, err := l.Decisions(ctx, ledger.DecisionQuery{Subject: d, Point: point, Environment: environment, At: to, Limit: lookedThrough})
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			e, err := l.Entry(ctx, row.Index)
			if err != nil {
				return nil, err
			}
			out = append(out, ledger.SignedDecision{DecisionRow: row, Producer: e.Producer})
		}
	}
	slices.SortFunc(out, func(a, b ledger.SignedDecision) int { return int(a.Index - b.Index) })
	return out, nil
}
