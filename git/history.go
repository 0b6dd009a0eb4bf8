package git

import (
	"context"
	"slices"
	"strings"

	"verdict"
)

// Base is where a change left another branch.
type Base struct {
	// ID is the merge base, as gitCommit:…; empty when Known is false or the histories
	// have nothing in common.
	ID verdict.Digest
	// Known is false when the clone is too shallow to tell. Then nothing may be
	// concluded from the empty ID.
	Known bool
	// Tip is the commit that HEAD was compared with; empty when it is not here.
	Tip verdict.Digest
	// Against is the ref that was compared with.
	Against string
}

// MergeBase finds where HEAD left branch. A plain name means the remote's branch where
// there is one: a local copy is the author's own to move. An empty name means
// DefaultBranch. Of that one, and of a name written as refs/heads/…, only a branch counts:
// a change may bring a tag of the same name along.
func (r *Repo) MergeBase(ctx context.Context, branch string) (Base, error) {
	said, found := branch, named{}
	if said == "" {
		name, seen, err := r.defaultBranch(ctx)
		if err != nil {
			return Base{}, err
		}
		branch, found = "refs/heads/"+name, seen
	}
	if err := checkRevision(branch); err != nil {
		return Base{}, err
	}
	if found.name == "" {
		var err error
		if found, err = r.compared(ctx, branch); err != nil {
			return Base{}, err
		}
	}
	if found.name == "" {
		name, isBranch := strings.CutPrefix(branch, "refs/heads/")
		switch {
		case r.Shallow: // it was not fetched: that is no answer
			return Base{Against: name}, nil
		case said == "": // nobody may take this for "there is no default branch"
			return Base{}, r.noDefault("its default branch "+quote(name)+" was not fetched", nil)
		case isBranch:
			return Base{}, r.notFetched(name)
		}
		return Base{}, r.noRevision(branch)
	}
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{config: honest, args: []string{"merge-base", "HEAD", found.id}, ok1: true, ended: &ended})
	if err != nil {
		return Base{}, err
	}
	b := Base{Against: found.name, Known: true, Tip: verdict.NewDigest("gitCommit", found.id)}
	if ended == 1 {
		b.Known = !r.Shallow
		return b, nil
	}
	b.ID, err = verdict.ParseDigest("gitCommit:" + strings.TrimSpace(string(out)))
	return b, err
}

// compared finds what MergeBase compares with: the remote's branch, or a local one, or,
// unless it was written as a branch, any revision of that name.
func (r *Repo) compared(ctx context.Context, name string) (named, error) {
	branch, isBranch := strings.CutPrefix(name, "refs/heads/")
	found, err := r.branches(ctx, branch)
	if err != nil || found[0].name != "" || isBranch {
		return found[0], err
	}
	return r.first(ctx, []string{name})
}

// branches finds each of the branches, the remote's before a local one; the zero value
// for one that is not there. A lookup by name goes on to tags and others that are called
// like a missing ref; a listing does not.
func (r *Repo) branches(ctx context.Context, names ...string) ([]named, error) {
	found := make([]named, len(names))
	args := []string{"for-each-ref", "--format=%(refname) %(objectname)"}
	for _, name := range names {
		args = append(args, "refs/remotes/origin/"+name, "refs/heads/"+name)
	}
	out, err := r.git.run(ctx, r.Root, call{args: args})
	if err != nil {
		return found, err
	}
	for i, name := range names {
		for _, ref := range []string{"refs/heads/" + name, "refs/remotes/origin/" + name} {
			for line := range strings.Lines(string(out)) {
				if id, ok := strings.CutPrefix(strings.TrimSpace(line), ref+" "); ok {
					found[i] = named{name: ref, id: id}
				}
			}
		}
	}
	return found, nil
}

// DefaultBranch is the branch that changes go to, as the remote says, or else main or
// master where only one of them exists: "main", not "origin/main". Where both do, or a
// remote was not asked, it is not known, and the error has CodeUnavailable: a change
// must not choose what it is measured against by bringing a branch along. The error
// holds ErrNotFound only in a repository that has no remote and neither branch.
func (r *Repo) DefaultBranch(ctx context.Context) (string, error) {
	name, _, err := r.defaultBranch(ctx)
	return name, err
}

// defaultBranch also gives where the branch stands, where that was seen on the way.
func (r *Repo) defaultBranch(ctx context.Context) (string, named, error) {
	const remote = "refs/remotes/origin/"
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{args: []string{"symbolic-ref", "-q", remote + "HEAD"}, ok1: true, ended: &ended})
	if err != nil {
		return "", named{}, err
	}
	if name, ok := strings.CutPrefix(strings.TrimSpace(string(out)), remote); ok && ended == 0 && checkRevision(name) == nil {
		return name, named{}, nil
	}
	names := []string{"main", "master"}
	found, err := r.branches(ctx, names...)
	if err != nil {
		return "", named{}, err
	}
	if found[0].name != "" && found[1].name != "" {
		return "", named{}, r.noDefault("both main and master exist", nil)
	}
	for i, f := range found {
		if f.name != "" {
			return names[i], f, nil
		}
	}
	remotes, err := r.git.run(ctx, r.Root, call{args: []string{"remote"}})
	if err != nil {
		return "", named{}, err
	}
	if r.Shallow || len(remotes) > 0 {
		return "", named{}, r.noDefault("neither main nor master was fetched", nil)
	}
	return "", named{}, r.noDefault("there is no remote, and neither main nor master", ErrNotFound)
}

// noDefault is the error for a default branch that cannot be told. ErrNotFound as its
// cause says that there is none.
func (r *Repo) noDefault(why string, cause error) error {
	e := &verdict.Error{
		Code: verdict.CodeUnavailable, What: "it cannot be told which branch is the default one of " + quote(r.Root) + ": " + why,
		Remedy: "fetch and ask the remote: git fetch origin && git remote set-head origin -a; or name the branch that the change goes to: --base BRANCH", Err: cause,
	}
	if cause != nil {
		e.Code, e.Remedy = verdict.CodeNotFound, "name the branch that the change goes to: --base BRANCH"
	}
	return e
}

// notFetched is the error for a branch of the remote that this clone does not hold.
func (r *Repo) notFetched(branch string) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the branch " + quote(branch) + " was not fetched",
		Remedy: "fetch it: git fetch origin " + shellQuote("+refs/heads/"+branch+":refs/remotes/origin/"+branch),
	}
}

// Branch is the branch that HEAD is on; empty when HEAD is detached.
func (r *Repo) Branch(ctx context.Context) (string, error) {
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{args: []string{"symbolic-ref", "-q", "--short", "HEAD"}, ok1: true, ended: &ended})
	return strings.TrimSpace(string(out)), err
}

// named is a revision that exists.
type named struct{ name, id string }

// first gives the first of names that is a commit; the zero value when none is.
func (r *Repo) first(ctx context.Context, names []string) (named, error) {
	ask := strings.Join(names, "^{commit}\n") + "^{commit}\n"
	out, err := r.git.run(ctx, r.Root, call{args: []string{"cat-file", "--batch-check"}, stdin: ask})
	if err != nil {
		return named{}, err
	}
	answers := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(answers) != len(names) {
		return named{}, unreadable(r.Root, "cat-file gave "+quote(string(out)))
	}
	for i, a := range answers {
		if f := strings.Fields(a); len(f) == 3 && f[1] == "commit" {
			return named{name: names[i], id: f[0]}, nil
		}
	}
	return named{}, nil
}

// Change is one path that differs between two revisions.
type Change struct {
	Path   string // relative to Root, raw bytes
	Status string // "A" added, "M" modified, "D" deleted, "T" another type of file
}

// Changed lists the paths that differ between the trees of two revisions, sorted, with
// a renamed file as one deleted and one added. An empty from is the tree without files.
func (r *Repo) Changed(ctx context.Context, from, to string) ([]Change, error) {
	if from == "" {
		from = r.emptyTree()
	}
	for _, rev := range []string{from, to} {
		if err := checkRevision(rev); err != nil {
			return nil, err
		}
	}
	out, err := r.ask(ctx, r.Root, call{args: []string{
		"diff-tree", "-r", "-z", "--name-status", "--no-renames", "--no-ext-diff", "--no-textconv", "--end-of-options", from, to, "--",
	}}, from, to)
	if err != nil {
		return nil, err
	}
	f := fields(out)
	if len(f)%2 != 0 {
		return nil, unreadable(r.Root, "diff-tree ends early")
	}
	changes := make([]Change, 0, len(f)/2)
	for i := 0; i < len(f); i += 2 {
		changes = append(changes, Change{Status: f[i], Path: f[i+1]})
	}
	return changes, nil
}

// Differs lists the paths in which the working tree differs from the tree of a commit, in
// paths relative to Dir, sorted, each once: changed since, added, deleted and untracked.
// Like Dirty it trusts git's file times: it answers a developer and nobody's gate.
func (r *Repo) Differs(ctx context.Context, from string) ([]string, error) {
	committed, err := r.Changed(ctx, from, "HEAD")
	if err != nil {
		return nil, err
	}
	s, err := r.status(ctx, "all")
	if err != nil {
		return nil, err
	}
	paths := append(s.Changed, s.Untracked...)
	for _, c := range committed {
		paths = append(paths, c.Path)
	}
	if r.Prefix != "" {
		within := strings.TrimSuffix(r.Prefix, "/") + "/"
		kept := paths[:0]
		for _, p := range paths {
			if below, ok := strings.CutPrefix(p, within); ok {
				kept = append(kept, below)
			}
		}
		paths = kept
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

// fields splits output in which each field ends with NUL.
func fields(out []byte) []string {
	s := strings.TrimSuffix(string(out), "\x00")
	if s == "" {
		return nil
	}
	return strings.Split(s, "\x00")
}

// Fork is the commit in which two others last had the same history, in hex; empty when
// they have none in common, or when this clone is too shallow to tell.
func (r *Repo) Fork(ctx context.Context, a, b string) (string, error) {
	for _, rev := range []string{a, b} {
		if err := checkRevision(rev); err != nil {
			return "", err
		}
	}
	ended := 0
	out, err := r.git.run(ctx, r.Root, call{config: honest, args: []string{"merge-base", a, b}, ok1: true, ended: &ended})
	return strings.TrimSpace(string(out)), err
}
