package code

import (
	"context"
	"errors"

	"verdict"
	"verdict/forge"
	"verdict/git"
)

// maxRebased bounds the commits of a request that are compared with what became of them.
const maxRebased = 200

// beforeMerge is what always helps: an open request is measured with its target.
const beforeMerge = "judge the request before it is merged: run `verdict ci` in its own pipeline"

// more says that some of the change came with something else.
func more(name string) verdict.Knowledge {
	return missing("the change holds more than the request "+name+" brought with its merge",
		"decide each merge by itself: verdict ci --base COMMIT, with the commit that the target was on before it; or "+beforeMerge)
}

// broughtAlone holds that a merged request brought all of the change: what lies before
// its merge was there already. A change of several merges was reviewed in several requests.
func (q Question) broughtAlone(ctx context.Context, r forge.Request, name string) (verdict.Knowledge, error) {
	if r.Head != q.Head {
		return q.asReviewed(ctx, r, name)
	}
	c, err := q.Repo.Commit(ctx, q.Head)
	if err != nil || len(c.Parents) == 0 {
		return verified, err
	}
	if in, err := q.inBase(ctx, c.Parents[0].Hex()); in && err == nil {
		return verified, nil
	} else if _, ok := notHeld(err); err != nil && !ok {
		return verdict.Knowledge{}, err
	}
	return q.fastForwarded(ctx, r, name)
}

// measuredAlike holds that an open request shows its reviewers at least what is judged
// here: one that goes to another branch may show a smaller part.
func (q Question) measuredAlike(ctx context.Context, r forge.Request, name string) (verdict.Knowledge, error) {
	fork, err := q.Repo.MergeBase(ctx, "refs/heads/"+r.Target)
	if err != nil || !fork.Known {
		return missing("the branch that the request "+name+" goes to was not fetched: "+shown(r.Target), "fetch it: git fetch origin (fetch-depth: 0 in GitHub Actions); then run `verdict ci` again"), ctx.Err()
	}
	if r.Head == q.Head && fork.ID.Hex() == q.Head { // it is in its target already: that tells nothing of where it left it
		return q.fastForwarded(ctx, r, name)
	}
	if fork.ID != "" {
		in, err := q.inBase(ctx, fork.ID.Hex())
		if err != nil || !in {
			return missing("the request "+name+" goes to "+shown(r.Target)+" and shows its reviewers only a part of the change", "name the branch that the request goes to with --base BRANCH, or review what lies before it in a request of its own"), err
		}
	}
	return verified, nil
}

// fastForwarded is about a request whose own last commit is the target's now. Git cannot
// tell any more where it left the target, so it is the forge that has to say it: by the
// commit, or by how many commits the request has, which tells it of a line without merges.
func (q Question) fastForwarded(ctx context.Context, r forge.Request, name string) (verdict.Knowledge, error) {
	if r.From != "" {
		_, err := q.Repo.Commit(ctx, r.From)
		in := false
		if err == nil {
			in, err = q.inBase(ctx, r.From)
		}
		if errors.Is(err, git.ErrNotFound) || err == nil && !in {
			return more(name), nil
		}
		return verified, err
	}
	line, err := q.line(ctx, q.Head)
	switch {
	case err != nil:
		return verdict.Knowledge{}, err
	case len(line) == 1, len(line) > 0 && int64(len(line)) <= r.Commits:
		return verified, nil
	case len(line) > 0 && r.Commits > 0:
		return more(name), nil
	}
	return missing("the request "+name+" is in its target already, and nothing tells how much of the change it showed its reviewers", beforeMerge), nil
}

// remade reports whether the change is the commits of a request, made anew on the base
// one by one: each has the author of its own, and adds to the base, file by file, what
// that one adds.
func (q Question) remade(ctx context.Context, reviewed string) (bool, error) {
	made, err := q.line(ctx, q.Head)
	if err != nil || len(made) == 0 || len(made) > maxRebased || q.Base == "" {
		return false, err
	}
	if _, err := q.Repo.Commit(ctx, reviewed); err != nil {
		return false, notThere(err)
	}
	asked := q
	if asked.Base, err = q.Repo.Fork(ctx, q.Base, reviewed); err != nil || asked.Base == "" {
		return false, err
	}
	theirs, err := asked.line(ctx, reviewed)
	if err != nil || len(theirs) != len(made) {
		return false, err
	}
	for i, c := range made {
		if c.Author != theirs[i].Author {
			return false, nil
		}
		if same, err := q.combines(ctx, asked.Base, q.Base, theirs[i].ID.Hex(), c.ID.Hex()); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// notThere drops an error that says that something is not in this clone.
func notThere(err error) error {
	if _, ok := notHeld(err); ok || errors.Is(err, git.ErrNotFound) {
		return nil
	}
	return err
}

// line is the commits from the base to head, newest first; none where one of them is a
// merge, or the base is not what the last one stands on.
func (q Question) line(ctx context.Context, head string) ([]git.Commit, error) {
	ids, err := q.Repo.Between(ctx, q.Base, head, maxCommits)
	if err != nil || len(ids) == 0 || len(ids) > maxCommits {
		return nil, err
	}
	objects, err := q.Repo.Objects(ctx, ids, maxCommit)
	if err != nil {
		return nil, err
	}
	out := make([]git.Commit, 0, len(objects))
	for i, o := range objects {
		if o.Missing || o.Data == nil {
			return nil, nil
		}
		c, err := git.ParseCommit(o.ID, o.Data)
		if err != nil || len(c.Parents) > 1 {
			return nil, nil
		}
		below, parent := q.Base, ""
		if i+1 < len(ids) {
			below = ids[i+1]
		}
		if len(c.Parents) == 1 {
			parent = c.Parents[0].Hex()
		}
		if parent != below {
			return nil, nil
		}
		out = append(out, c)
	}
	return out, nil
}
