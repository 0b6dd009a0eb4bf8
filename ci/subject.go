package ci

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"

	"verdict"
	"verdict/ci/wording"
	"verdict/git"
)

// Standing says what the tree that was read is, and how it differs from its commit.
type Standing struct {
	Subject verdict.Subject
	// Head is the commit that the tree stands on; nil without one.
	Head *git.Commit
	// Commit is Head as a subject, whether the tree is it or not; the zero value without one,
	// for a folder of a repository, and where only a part was asked for.
	Commit verdict.Subject
	// Differences say in what the tree is not that commit, the first of them; empty for a
	// commit's own tree.
	Differences []string
	// Partial: by intent only a part of the tree was read.
	Partial bool
}

// Uncommitted reports whether the subject is a tree, not a commit. What is found about
// it says nothing about a commit.
func (s Standing) Uncommitted() bool { return s.Subject.Kind != verdict.SubjectChange }

// maxDifferences bounds the list for people.
const maxDifferences = 20

// stand is that of the tree that the options ask about.
func (o *Options) stand(ctx context.Context, repo *git.Repo, dir string, m *Manifest) (Standing, error) {
	if !o.Diff {
		return stand(ctx, repo, dir, m, o.Walk.Within)
	}
	head, err := repo.Head(ctx)
	if err != nil {
		return Standing{}, err
	}
	return Standing{
		Subject: verdict.Subject{
			Kind: verdict.SubjectTree, Name: fmt.Sprintf("%s on %s (what differs from %s)", filepath.Base(dir), head.ID.Short(), short(o.Base)), Digest: m.Digest(),
		},
		Head: &head, Partial: true, Differences: []string{fmt.Sprintf("the quick answer: only what differs from %s was read, and it says nothing about a commit; verdict ci without --diff judges the whole tree", short(o.Base))},
	}, nil
}

// short is a commit as people read it.
func short(commit string) string { return commit[:min(len(commit), 12)] }

// stand compares what was read with what is committed. Contents are compared, by git's
// own ids: git status trusts file times and the marks assume-unchanged and
// skip-worktree, which a change under judgement could set.
// Within is the scope of the manifest; empty: all.
func stand(ctx context.Context, repo *git.Repo, dir string, m *Manifest, within []string) (Standing, error) {
	tree := verdict.Subject{Kind: verdict.SubjectTree, Name: filepath.Base(dir) + " (uncommitted)", Digest: m.Digest()}
	if repo == nil {
		return Standing{Subject: tree, Differences: []string{"it is in no git repository"}}, nil
	}
	head, err := repo.Head(ctx)
	if errors.Is(err, git.ErrUnborn) {
		return Standing{Subject: tree, Differences: []string{"nothing is committed yet"}}, nil
	}
	if err != nil {
		return Standing{}, err
	}
	s := Standing{Subject: tree, Head: &head}
	s.Subject.Name = fmt.Sprintf("%s on %s (uncommitted)", filepath.Base(dir), head.ID.Short())
	if repo.Prefix != "" {
		s.Differences = append(s.Differences, "it is the folder "+wording.Shown(repo.Prefix)+" of a repository, not all of it")
		return s, nil
	}
	name, err := repo.Remote(ctx)
	if err != nil {
		return Standing{}, err
	}
	if name == "" {
		name = filepath.Base(repo.Root)
	}
	s.Commit = verdict.Subject{Kind: verdict.SubjectChange, Name: wording.Shown(name), Digest: head.ID, Also: []verdict.Digest{head.Tree}}
	committed, err := repo.Entries(ctx, head.ID.Hex())
	if err != nil {
		return Standing{}, err
	}
	if len(within) > 0 {
		committed = slices.DeleteFunc(committed, func(e git.Entry) bool { return !inScope(e.Path, within) })
	}
	if s.Differences = differences(committed, m); len(s.Differences) == 0 {
		s.Subject = s.Commit
	}
	return s, nil
}

// differences lists what was read and is not committed, and the other way round. The
// executable bit makes none: it changes nothing of what was checked, and not every file
// system keeps it.
func differences(committed []git.Entry, m *Manifest) []string {
	var list difference
	read := make(map[string]Entry, len(m.Entries))
	for _, e := range m.Entries {
		read[e.Path] = e
	}
	skipped := make(map[string]Skip, len(m.Skipped))
	for _, s := range m.Skipped {
		skipped[s.File.Path] = s
	}
	for _, c := range committed {
		e, found := read[c.Path]
		s := skipped[c.Path]
		delete(read, c.Path)
		delete(skipped, c.Path)
		switch {
		case found && (e.Blob != c.ID || (e.Mode == git.ModeLink) != (c.Mode == git.ModeLink)):
			list.add("changed", c.Path)
		case !found && s.Index != c.ID:
			// A submodule, or a file outside of a sparse checkout, that the index holds as it
			// is committed is told by the walk. Everything else was not read as committed.
			list.add("deleted or not read", c.Path)
		}
	}
	for _, e := range m.Entries {
		if _, left := read[e.Path]; left {
			list.add("not committed", e.Path)
		}
	}
	for _, s := range m.Skipped {
		if _, left := skipped[s.File.Path]; left && !s.Gone {
			list.add("not committed and not read", s.File.Path)
		}
	}
	if list.more > 0 {
		return append(list.told, fmt.Sprintf("and %d more", list.more))
	}
	return list.told
}

// difference is a list for people that ends before it is long.
type difference struct {
	told []string
	more int
}

func (d *difference) add(what, path string) {
	if len(d.told) == maxDifferences {
		d.more++
		return
	}
	d.told = append(d.told, what+": "+wording.Shown(path))
}
