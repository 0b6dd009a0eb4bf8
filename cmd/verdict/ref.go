package main

import (
	"context"
	"fmt"
	"strings"

	"verdict"
	"verdict/git"
	"verdict/ledger"
)

// target is what a person's REF stands for: a decision, or a subject by its digest.
type target struct {
	Decision string // id, or the beginning of one
	Digest   verdict.Digest
}

// resolve finds out what a REF is: the id of a decision, a digest, a commit in full, or
// anything that git knows in this directory.
func (w *workspace) resolve(ctx context.Context, ref string) (target, error) {
	if strings.HasPrefix(ref, "d-") {
		return target{Decision: ref}, nil
	}
	if strings.Contains(ref, ":") {
		d, err := verdict.ParseDigest(ref)
		return target{Digest: d}, err
	}
	for _, algorithm := range []string{"gitCommit:", "sha256:"} { // 64 digits are rather a commit's than a file's
		if d, err := verdict.ParseDigest(algorithm + ref); err == nil {
			return target{Digest: d}, nil
		}
	}
	repo, err := git.Open(ctx, ".")
	if err == nil {
		var c git.Commit
		if c, err = repo.Commit(ctx, ref); err == nil {
			return target{Digest: c.ID}, nil
		}
	}
	return target{}, &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("%q is no decision, digest or commit that can be told from here", ref),
		Remedy: "give a decision's id (d-…), a digest (sha256:…), a full commit id, or run inside the repository that has the commit", Err: err,
	}
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
