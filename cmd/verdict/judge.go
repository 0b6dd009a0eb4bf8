package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/git"
	"verdict/ledger"
)

// judgedBy is the map that a change is judged by, and where it came from.
type judgedBy struct {
	Map  *decisionmap.Map
	From string // for people: "verdict.yaml at 1a2b3c4d5e6f", "the built-in map"
	Base string // the revision that the repository's files are read from; empty: none
	// Released is the organisation map in force, which the map is or is read over; nil: none.
	Released *releasedMap
	// Unknown says why the base could not be told, which is not the same as none.
	Unknown string
}

// judgeBy finds the map for the tree of a repository: the released organisation map, if
// there is one, tightened by the repository's file as it stood before the change. A
// change is never judged by its own map.
func (w *workspace) judgeBy(ctx context.Context, repo *git.Repo, base string) (judgedBy, error) {
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
		if j.Base, j.Unknown, err = baseOf(ctx, repo, base); err != nil {
			return judgedBy{}, err
		}
		if own, err = mapAt(ctx, repo, j.Base); err != nil {
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

// pipelineBase is what the pipeline says that the change goes to, or stood on before: a
// branch for a pull or merge request, a commit for a push; "" when it says nothing.
func pipelineBase(env environment) string {
	for _, name := range []string{"GITHUB_BASE_REF", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME", "SYSTEM_PULLREQUEST_TARGETBRANCH", "CI_COMMIT_BEFORE_SHA"} {
		if v := strings.TrimPrefix(env.get(name), "refs/heads/"); strings.Trim(v, "0") != "" {
			return v
		}
	}
	var push struct {
		Before string `json:"before"`
	}
	if b, err := readLimited(env.get("GITHUB_EVENT_PATH"), maxEvent); err == nil && json.Unmarshal(b, &push) == nil && strings.Trim(push.Before, "0") != "" {
		return push.Before
	}
	return ""
}

// maxEvent bounds the event file of a pipeline.
const maxEvent = 16 << 20

// baseOf is the revision before the change: where the branch left the default branch,
// or the first parent when the change is on the default branch itself. It is empty
// before the first commit and for it.
func baseOf(ctx context.Context, repo *git.Repo, against string) (base, unknown string, err error) {
	head, err := repo.Head(ctx)
	if errors.Is(err, git.ErrUnborn) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	b, err := repo.MergeBase(ctx, against)
	if against == "" && errors.Is(err, git.ErrNotFound) {
		b, err = git.Base{Known: true}, nil // no default branch: nothing came before it
	}
	switch {
	case err != nil:
		return "", "", err
	case !b.Known:
		return "", "the clone is too shallow to tell where the change left " + b.Against, nil
	case b.ID != "" && b.ID != head.ID:
		return b.ID.Hex(), "", nil
	case len(head.Parents) == 0:
		return "", "", nil
	}
	parent := head.Parents[0].Hex()
	if _, err := repo.Commit(ctx, parent); errors.Is(err, git.ErrNotFound) {
		return "", "the clone does not hold the commit before this one", nil
	} else if err != nil {
		return "", "", err
	}
	return parent, "", nil
}

// mapAt reads the repository's map as it stood at a revision; nil when it had none.
func mapAt(ctx context.Context, repo *git.Repo, rev string) (*decisionmap.Map, error) {
	content, err := fileAt(ctx, repo, rev, decisionmap.FileName)
	if err != nil || content == nil {
		return nil, err
	}
	m, err := decisionmap.Load(fmt.Sprintf("%s at %s", decisionmap.FileName, short(rev)), content)
	var e *verdict.Error
	if errors.As(err, &e) { // the file that has to be mended is not the one that lies in the tree
		told := *e
		told.Remedy += ". It is the map before this change that cannot be read: mend it there first, in a change of its own, which somebody has to let in without an answer"
		return nil, &told
	}
	return m, err
}

// unknownBase is the error for a change of which nobody can say what judges it.
func unknownBase(why, base string) error {
	remedy := "fetch the whole history (git fetch --unshallow; fetch-depth: 0 in GitHub Actions), then run again"
	if base == "" {
		remedy = "name the branch that it goes to with --base BRANCH, or " + remedy
	}
	return &verdict.Error{Code: verdict.CodeUnavailable, What: "the map that judges this change cannot be told: " + why, Remedy: remedy}
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
