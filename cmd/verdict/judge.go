package main

import (
	"context"
	"errors"
	"fmt"
	"path"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/ledger"
	"verdict/server/wire"
)

// judgedBy is the map that a change is judged by, and where it came from.
type judgedBy struct {
	Map  *decisionmap.Map
	From string // for people: "verdict.yaml at 1a2b3c4d5e6f", "the built-in map"
	Base string // the revision that the repository's files are read from; empty: none
	// Released is the organisation map in force, which the map is or is read over; nil: none.
	Released *releasedMap
	// Own is the repository's map at Base, as a server takes it; nil: it has none.
	Own *wire.RepositoryMap
	// Unknown says why the base could not be told, which is not the same as none.
	Unknown error
}

// judgeBy finds the map for the tree of a repository: the released organisation map, if
// there is one, tightened by the repository's file as it stood before the change. A
// change is never judged by its own map.
func (w *workspace) judgeBy(ctx context.Context, repo *git.Repo, g goal) (judgedBy, error) {
	r, err := w.inForce(ctx, ledger.Now)
	if err != nil {
		return judgedBy{}, err
	}
	j := judgedBy{From: "the built-in map", Released: r}
	var released *decisionmap.Map
	if r != nil {
		released = r.Map
		j.From = "the released organisation map"
	}
	var own *decisionmap.Map
	if repo != nil {
		if j.Base, j.Unknown, err = baseOf(ctx, repo, g); err != nil {
			return judgedBy{}, err
		}
		if own, j.Own, err = mapAt(ctx, repo, j.Base); err != nil {
			return judgedBy{}, err
		}
	}
	if own != nil {
		at := decisionmap.FileName + " at " + short(j.Base)
		if released != nil {
			at = j.From + " with " + at
		}
		j.From = at
	}
	j.Map, err = decisionmap.Resolve(released, own)
	return j, err
}

func short(rev string) string {
	if d, err := verdict.ParseDigest(rev); err == nil {
		return d.Short()
	}
	return rev[:min(len(rev), 12)]
}

// mapAt reads the repository's map as it stood at a revision; nil when it had none.
func mapAt(ctx context.Context, repo *git.Repo, rev string) (*decisionmap.Map, *wire.RepositoryMap, error) {
	content, err := fileAt(ctx, repo, rev, decisionmap.FileName)
	if err != nil || content == nil {
		return nil, nil, err
	}
	m, err := decisionmap.Load(fmt.Sprintf("%s at %s", decisionmap.FileName, short(rev)), content)
	var e *verdict.Error
	if errors.As(err, &e) { // the file that has to be mended is not the one that lies in the tree
		told := *e
		told.Remedy += ". It is the map before this change that cannot be read: mend it there first, in a change of its own, which somebody has to let in without an answer"
		return nil, nil, &told
	}
	return m, &wire.RepositoryMap{File: decisionmap.FileName, Content: string(content), Revision: rev}, err
}

// fileAt reads a file of the repository's root at a revision; nil when it was not there.
func fileAt(ctx context.Context, repo *git.Repo, rev, name string) ([]byte, error) {
	if rev == "" {
		return nil, nil
	}
	content, err := repo.ReadFile(ctx, rev, path.Clean(name))
	if errors.Is(err, git.ErrNotFound) {
		return nil, nil
	}
	return content, err
}

// releasedMapAt is the organisation map that is in force at a position; nil when none
// was released.
func (w *workspace) releasedMapAt(ctx context.Context, at ledger.Position) (*decisionmap.Map, error) {
	r, err := w.inForce(ctx, at)
	if err != nil || r == nil {
		return nil, err
	}
	return r.Map, nil
}
