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

// Find lists entries; of images those alone that are about the digests, as indexes of them or as
// what an index names.
func (l namedLog) Find(ctx context.Context, q ledger.Query) (out []ledger.Entry, err error) {
	if q.Kind != verdict.KindImage {
		return l.book.Find(ctx, q)
	}
	if q.Before > 0 { // a further page: they are given at once
		return nil, nil
	}
	for _, d := range l.digests {
		found, err := l.book.Find(ctx, ledger.Query{Subject: d, Kind: q.Kind, From: q.From, At: q.At, Limit: lookedThrough})
		if err != nil {
			return nil, err
		}
		out = append(out, slices.DeleteFunc(found, func(e ledger.Entry) bool { return len(e.Subjects) == 0 })...)
	}
	return out, nil
}

// SignedDecisions lists what was decided about the digests and the indexes that name them,
// oldest first.
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
	images, err := l.Find(ctx, ledger.Query{Kind: verdict.KindImage, At: to})
	if err != nil {
		return nil, err
	}
	for _, e := range images {
		digests = append(digests, e.Subjects[0].Digest)
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
