package code

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"verdict"
	"verdict/forge"
	"verdict/git"
)

// asReviewed holds that the change is what a merge, a squash or a rebase makes of the
// request's last commit, put on what was there before. A forge also names a commit as the
// merge that somebody made by hand and pushed, and that can hold anything.
func (q Question) asReviewed(ctx context.Context, r forge.Request, name string) (verdict.Knowledge, error) {
	if _, err := q.Repo.Commit(ctx, r.Head); errors.Is(err, git.ErrNotFound) {
		return missing("this clone does not hold the last commit of the request "+name+", with which the change would be compared", fetchOf(r)), nil
	} else if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	c, err := q.Repo.Commit(ctx, q.Head)
	if err != nil {
		return verdict.Knowledge{}, err
	}
	onto, same, err := q.brings(ctx, c, r.Head)
	if k, ok := notHeld(err); ok || err != nil {
		return k, cleared(ok, err)
	}
	if !same {
		return missing("the commit "+short(q.Head)+" holds more than the request "+name+" brought, or something else: nobody approved what its merge made of it",
			"see what it changes: git show -m --first-parent "+short(q.Head)+"; then bring that in a request of its own, or revert it. Where a conflict was resolved in the merge, merge the target into the request before, and have that approved"), nil
	}
	if k, err := q.onto(ctx, onto, name, nil); err != nil || k.State != verdict.StateVerified {
		return k, err
	}
	_, known, err := q.hands(ctx, r.Head)
	return known, err
}

// asMerged is asReviewed for a request that is not merged, of which a pipeline checks out
// what the merge would be. What that stands on must have been there before, too: nobody
// who looked at the request has seen it.
func (q Question) asMerged(ctx context.Context, r forge.Request, name string) (verdict.Knowledge, error) {
	c, err := q.Repo.Commit(ctx, q.Head)
	if err != nil {
		return verdict.Knowledge{}, err
	}
	if len(c.Parents) == 2 && c.Parents[1].Hex() == r.Head {
		only, err := q.mergesOnly(ctx, c)
		if k, ok := notHeld(err); ok {
			return k, nil
		}
		if only || err != nil {
			return q.onto(ctx, c.Parents[0].Hex(), name, err)
		}
	}
	return missing("the request "+name+" is about another commit: its last one is "+short(shown(r.Head)),
		"check out the request's own last commit (in GitHub Actions: ref: ${{ github.event.pull_request.head.sha }}), or name the request of this commit with --request ID"), nil
}

// onto holds that what the request was put on was there before the change.
func (q Question) onto(ctx context.Context, commit, name string, err error) (verdict.Knowledge, error) {
	in := commit == "" // nothing came before
	if err == nil && !in {
		in, err = q.inBase(ctx, commit)
		err = notThere(err)
	}
	if err != nil || in {
		return verified, err
	}
	return more(name), nil
}

// fetchOf says how to get the last commit of a request: each forge keeps it under a name
// of its own, also when the branch is gone. Azure keeps a merge that holds it.
func fetchOf(r forge.Request) string {
	ref := shown(r.Head)
	if forge.CheckID(r.ID) == nil {
		switch r.Forge {
		case forge.GitHub:
			ref = "refs/pull/" + r.ID + "/head"
		case forge.GitLab:
			ref = "refs/merge-requests/" + r.ID + "/head"
		case forge.Azure:
			ref = "refs/pull/" + r.ID + "/merge"
		}
	}
	return "fetch it: git fetch origin " + ref + "; then run `verdict ci` again. Or " + beforeMerge
}

// brings reports whether a commit is what a forge makes of a reviewed one, and onto which
// commit it was put; that is empty for a first commit.
func (q Question) brings(ctx context.Context, c git.Commit, reviewed string) (onto string, same bool, err error) {
	switch len(c.Parents) {
	case 0:
		tree, err := q.Repo.Tree(ctx, reviewed)
		return "", tree == c.Tree, err
	case 1:
		return q.madeAnew(ctx, c, reviewed)
	case 2:
		only, err := q.mergesOnly(ctx, c)
		target, other := c.Parents[0].Hex(), c.Parents[1].Hex()
		if err != nil || !only || other == reviewed {
			return target, only, err
		}
		// GitLab squashes and then merges, Azure rebases and then merges.
		made, err := q.Repo.Commit(ctx, other)
		if err != nil || len(made.Parents) != 1 {
			return target, false, err
		}
		onto, same, err := q.madeAnew(ctx, made, reviewed)
		if err != nil || !same {
			return target, false, err
		}
		there := q
		there.Base = target
		in, err := there.inBase(ctx, onto)
		return target, in, err
	}
	return "", false, nil
}

// madeAnew reports whether a commit is the last of a request's commits, made anew one by
// one, or else all of them in one.
func (q Question) madeAnew(ctx context.Context, c git.Commit, reviewed string) (onto string, same bool, err error) {
	parent := c.Parents[0].Hex()
	fork, err := q.forked(ctx, parent, reviewed)
	if err != nil || fork == "" {
		return "", false, err
	}
	asked := q
	asked.Base = fork
	theirs, err := asked.line(ctx, reviewed)
	if err != nil {
		return "", false, err
	}
	if n := len(theirs); n > 0 && n <= maxRebased {
		first, err := q.Repo.Commit(ctx, fmt.Sprintf("%s~%d", c.ID.Hex(), n))
		if err == nil {
			rebased := q
			rebased.Head, rebased.Base = c.ID.Hex(), first.ID.Hex()
			same, err = rebased.remade(ctx, reviewed)
		}
		if same || notThere(err) != nil {
			return first.ID.Hex(), same, err
		}
	}
	same, err = q.combines(ctx, fork, parent, reviewed, c.ID.Hex())
	return parent, same, err
}

// hands are the authors, co-authors and committers of the request's own commits. A squash
// keeps of them what its message says, which is for whoever presses the button to write.
func (q Question) hands(ctx context.Context, reviewed string) ([]verdict.Party, verdict.Knowledge, error) {
	c, err := q.Repo.Commit(ctx, q.Head)
	if err != nil {
		return nil, verdict.Knowledge{}, err
	}
	before := ""
	var parents []string
	if len(c.Parents) > 0 {
		before = c.Parents[0].Hex()
	}
	ids, err := q.Repo.Between(ctx, before, reviewed, maxCommits)
	if k, ok := notHeld(err); ok || err != nil {
		return nil, k, cleared(ok, err)
	}
	if len(ids) > maxCommits {
		return nil, missing(fmt.Sprintf("the request has more than %d commits, and not all who wrote them are known", maxCommits), "split the change"), nil
	}
	objects, err := q.Repo.Objects(ctx, ids, maxCommit)
	if k, ok := notHeld(err); ok || err != nil {
		return nil, k, cleared(ok, err)
	}
	var out []verdict.Party
	for _, o := range objects {
		one, err := git.ParseCommit(o.ID, o.Data)
		if o.Missing || o.Data == nil || err != nil {
			return nil, missing("this clone does not hold the request's commit "+short(o.ID)+", so not all who wrote the change are known", refetch), nil
		}
		for _, p := range one.Parents {
			parents = append(parents, p.Hex())
		}
		for _, p := range append(q.authors(one), q.committer(one)) {
			if !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	known, err := q.reached(ctx, ids, parents)
	return out, known, err
}

// onlyMerges reports whether the commit is a merge of another one with its target that
// adds nothing of its own: what GitHub checks out for a pull request.
func (q Question) onlyMerges(ctx context.Context, reviewed string) (bool, error) {
	c, err := q.Repo.Commit(ctx, q.Head)
	if err != nil || len(c.Parents) != 2 || c.Parents[1].Hex() != reviewed {
		return false, err
	}
	return q.mergesOnly(ctx, c)
}

// mergesOnly reports whether a merge of two holds what its parents make together, and
// nothing else.
func (q Question) mergesOnly(ctx context.Context, c git.Commit) (bool, error) {
	target, other := c.Parents[0].Hex(), c.Parents[1].Hex()
	fork, err := q.forked(ctx, target, other)
	if err != nil || fork == "" {
		return false, err
	}
	return q.combines(ctx, fork, target, other, c.ID.Hex())
}

// forked is the commit in which two others last had the same history; empty when they
// have none. A clone that is too shallow to tell is an error with CodeUnavailable.
func (q Question) forked(ctx context.Context, a, b string) (string, error) {
	fork, err := q.Repo.Fork(ctx, a, b)
	if err == nil && fork == "" && q.Repo.Shallow {
		err = &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the clone is too shallow to tell where the request left its target",
			Remedy: "fetch the whole history: git fetch --unshallow (fetch-depth: 0 in GitHub Actions)",
		}
	}
	return fork, err
}

// combines reports whether a commit is what two others make of their fork. Mostly it holds
// file by file what one side changed. Where both changed a file, git has to make the same of
// it: an outcome that somebody wrote by hand was reviewed by nobody.
func (q Question) combines(ctx context.Context, fork, target, reviewed, commit string) (bool, error) {
	if same, err := q.fileByFile(ctx, fork, target, reviewed, commit); err != nil || same {
		return same, err
	}
	tree, clean, err := q.Repo.Merged(ctx, fork, target, reviewed)
	if err != nil || !clean {
		return false, err
	}
	is, err := q.Repo.Tree(ctx, commit)
	return err == nil && is.Hex() == tree, err
}

// fileByFile reports whether a commit holds of each file what one of two others made of
// it, where the other left it alone.
func (q Question) fileByFile(ctx context.Context, fork, target, reviewed, commit string) (bool, error) {
	trees := make([]map[string]string, 4)
	for i, rev := range []string{fork, target, reviewed, commit} {
		entries, err := q.Repo.Top().Entries(ctx, rev)
		if err != nil {
			return false, err
		}
		trees[i] = make(map[string]string, len(entries))
		for _, e := range entries {
			trees[i][e.Path] = e.Mode + " " + e.ID
		}
	}
	for _, tree := range trees {
		for p := range tree {
			was, theirs, ours, is := trees[0][p], trees[1][p], trees[2][p], trees[3][p]
			switch {
			case theirs == was && is == ours, ours == was && is == theirs, theirs == ours && is == ours:
			default:
				return false, nil
			}
		}
	}
	return true, nil
}
