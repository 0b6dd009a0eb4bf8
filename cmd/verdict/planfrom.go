package main

import (
	"context"
	"errors"
	"path"
	"slices"
	"strings"

	"verdict"
	"verdict/git"
)

// plannedFrom is the commit that a plan was made from, as far as the tree tells: who wrote it
// does not approve the plan. It is empty where the tree holds something that no commit has.
func plannedFrom(ctx context.Context, repo *git.Repo) (verdict.Digest, error) {
	head, err := repo.Head(ctx)
	if errors.Is(err, git.ErrUnborn) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	is, err := repo.Dirty(ctx)
	if err != nil {
		return "", err
	}
	mine := slices.ContainsFunc(is.Untracked, func(name string) bool {
		switch {
		case path.Base(name) == ".terraform":
			return false
		case strings.HasSuffix(name, "/"):
			return true
		}
		return slices.ContainsFunc([]string{".tf", ".tf.json", ".tofu", ".tofu.json", ".tfvars", ".tfvars.json", ".hcl"}, func(end string) bool { return strings.HasSuffix(name, end) })
	})
	if len(is.Changed) > 0 || mine {
		return "", nil
	}
	return head.ID, nil
}
