package main

import (
	"context"
	"strings"

	"verdict"
	"verdict/ledger"
)

// target is what a person's REF stands for: a decision, or a subject by its digest.
type target struct {
	Decision string // id, or the beginning of one
	Digest   verdict.Digest
}

// resolve finds out what a REF is: the id of a decision, a digest, an image by its digest, a
// commit in full, or what the other commands take: a file, or anything that git knows here.
func (w *workspace) resolve(ctx context.Context, ref string) (target, error) {
	if strings.HasPrefix(ref, "d-") {
		return target{Decision: ref}, nil
	}
	if typedDigest.MatchString(ref) {
		d, err := verdict.ParseDigest(ref)
		return target{Digest: d}, err
	}
	if name, digest, ok := strings.Cut(ref, "@"); ok && strings.Contains(digest, ":") {
		s, err := w.app.image(name, digest)
		return target{Digest: s.Digest}, err
	}
	for _, algorithm := range []string{"gitCommit:", "sha256:"} { // 64 digits are rather a commit's than a file's
		if d, err := verdict.ParseDigest(algorithm + ref); err == nil {
			return target{Digest: d}, nil
		}
	}
	s, err := w.app.subject(ctx, ref)
	return target{Digest: s.Digest}, err
}

// decisionsOf lists the decisions that a REF stands for: one by id, or those about a
// subject that no newer one replaced, newest first. Older counts the replaced ones.
func (w *workspace) decisionsOf(ctx context.Context, n target, at ledger.Position) (standing []ledger.DecisionRow, older int, err error) {
	q := ledger.DecisionQuery{Subject: n.Digest, At: at}
	if n.Decision != "" {
		_, d, err := w.ledger.Decision(ctx, n.Decision, at)
		if err != nil {
			return nil, 0, err
		}
		q.Subject, q.Point = d.Subject.Digest, d.Point
		n.Decision = d.ID
	}
	rows, err := w.ledger.Decisions(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	for _, r := range rows {
		switch {
		case n.Decision != "" && r.ID != n.Decision:
		case n.Decision == "" && r.Replaced >= 0:
			older++
		default:
			standing = append(standing, r)
		}
	}
	return standing, older, nil
}
