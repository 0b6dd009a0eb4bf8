package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"verdict"
	"verdict/forge"
	"verdict/git"
)

// goal is what a change is measured with, as far as anybody says it. The zero value says
// nothing: then it is the default branch, as git tells it.
//
// Where a branch stood before a push says who was there before only on the default
// branch. On every other one the author may have pushed what came before as well, and a
// change would be judged by the map of its own first half.
type goal struct {
	Named   string // by a person: a branch or another revision
	Target  string // by the pipeline: the branch that a request goes to
	Default string // by the pipeline: the repository's default branch
	Pushed  string // by the pipeline: the branch that a push moved; no tag, and no request
	Before  string // by the pipeline: the commit that Pushed stood on; zeros: there was no such branch
	Unheard error  // why the pipeline could not be heard, where it has something to say
}

// maxEvent bounds the event file of a pipeline.
const maxEvent = 32 << 20

// pipelineGoal is what the pipeline says of where the change goes.
func pipelineGoal(env environment) goal {
	switch {
	case env.get("GITHUB_ACTIONS") == "true":
		return githubGoal(env)
	case env.get("GITLAB_CI") == "true":
		g := goal{Target: forge.Branch(env.get("CI_MERGE_REQUEST_TARGET_BRANCH_NAME")), Default: env.get("CI_DEFAULT_BRANCH")}
		if g.Target == "" && env.get("CI_COMMIT_TAG") == "" {
			g.Pushed, g.Before = env.get("CI_COMMIT_BRANCH"), env.get("CI_COMMIT_BEFORE_SHA")
		}
		if isNew(g.Before) && env.get("CI_PIPELINE_SOURCE") != "push" { // GitLab's word for "not told" in scheduled and manual pipelines
			g.Before = ""
		}
		return g
	case strings.EqualFold(env.get("TF_BUILD"), "true"): // tells neither the default branch nor what stood before
		return goal{Target: forge.Branch(env.get("SYSTEM_PULLREQUEST_TARGETBRANCH"))}
	}
	return goal{}
}

// githubGoal reads GitHub's variables and its event file ("Webhook events and payloads":
// push, pull_request, merge_group). The commit before counts for a push alone: a
// pull_request that was pushed to has one too, and that is the author's own.
func githubGoal(env environment) goal {
	g := goal{Target: forge.Branch(env.get("GITHUB_BASE_REF"))}
	path := env.get("GITHUB_EVENT_PATH")
	if path == "" || g.Target != "" {
		return g
	}
	var event struct {
		Ref        string `json:"ref"`
		Before     string `json:"before"`
		Repository struct {
			Default string `json:"default_branch"`
		} `json:"repository"`
		Pull struct {
			Base struct {
				Ref string `json:"ref"`
			} `json:"base"`
		} `json:"pull_request"`
		Group struct {
			Base string `json:"base_ref"`
		} `json:"merge_group"`
	}
	b, err := readLimited(path, maxEvent)
	if err == nil {
		err = json.Unmarshal(b, &event)
	}
	if err != nil {
		g.Unheard = untold("the event file of the pipeline cannot be read", "run the step where the runner puts GITHUB_EVENT_PATH (in a container: mount it), or name the branch that the change goes to with --base BRANCH")
		return g
	}
	g.Default = event.Repository.Default
	switch {
	case event.Pull.Base.Ref != "":
		g.Target = forge.Branch(event.Pull.Base.Ref)
	case event.Group.Base != "":
		g.Target = forge.Branch(event.Group.Base)
	case env.get("GITHUB_EVENT_NAME") == "push":
		if branch, ok := strings.CutPrefix(event.Ref, "refs/heads/"); ok {
			g.Pushed, g.Before = branch, event.Before
		}
	}
	return g
}

// isNew reports whether a forge says by zeros that a branch was not there before.
func isNew(before string) bool { return before != "" && strings.Trim(before, "0") == "" }

// baseOf is the revision before the change: where it left what it goes to, or the first
// parent of a commit that is there already: whoever can put a commit there by itself can
// put its map there first. It is empty before the first commit and for it. Unknown says
// why the base cannot be told, which is not the same as none.
func baseOf(ctx context.Context, repo *git.Repo, g goal) (base string, unknown, err error) {
	head, err := repo.Head(ctx)
	if errors.Is(err, git.ErrUnborn) {
		return "", nil, nil
	}
	if err != nil || g.Unheard != nil {
		return "", g.Unheard, err
	}
	moved, err := g.movesDefault(ctx, repo)
	if err != nil {
		return "", nil, err
	}
	if moved {
		return beforePush(ctx, repo, head, g.Before)
	}
	b, err := repo.MergeBase(ctx, g.against())
	if g.against() == "" && errors.Is(err, git.ErrNotFound) {
		return firstParent(ctx, repo, head, false) // no default branch: nothing else is measured with
	}
	switch {
	case err != nil:
		return "", nil, err
	case !b.Known:
		return "", shallowBase("the clone is too shallow to tell where the change left "+forge.Branch(b.Against), g.against() != ""), nil
	case b.ID == "": // nothing in common: all of it is new there, its map too
		return b.Tip.Hex(), nil, nil
	case b.ID != head.ID:
		return b.ID.Hex(), nil, nil
	}
	return firstParent(ctx, repo, head, g.against() != "")
}

// against is what git is asked to compare with. What a pipeline names is a branch, and
// never a tag or a commit of that name.
func (g goal) against() string {
	for _, branch := range []string{g.Target, g.Default} {
		if g.Named == "" && branch != "" {
			return "refs/heads/" + branch
		}
	}
	return g.Named
}

// movesDefault reports whether the change is a push to the default branch of which the
// pipeline tells where that branch stood before.
func (g goal) movesDefault(ctx context.Context, repo *git.Repo) (bool, error) {
	if g.Named != "" || g.Target != "" || g.Pushed == "" || g.Before == "" {
		return false, nil
	}
	if g.Default != "" {
		return g.Pushed == g.Default, nil
	}
	name, err := repo.DefaultBranch(ctx)
	if e := verdict.AsError(err); err != nil && (e.Code == verdict.CodeUnavailable || e.Code == verdict.CodeNotFound) {
		return false, nil // whoever measures with it says so
	}
	return name == g.Pushed, err
}

// beforePush is the base of a push to the default branch: where its history left the
// commit that the branch stood on. Zeros say that it is new: nothing came before.
func beforePush(ctx context.Context, repo *git.Repo, head git.Commit, before string) (base string, unknown, err error) {
	if isNew(before) {
		return "", nil, nil
	}
	gone := untold("the pipeline says that the branch stood on "+short(before)+", which is not in this clone", "fetch it: git fetch origin "+before+"; or name what the change is measured with: --base BRANCH")
	if !forge.Hex(before) {
		return "", untold(fmt.Sprintf("the pipeline says that the branch stood on %.80q, which is no commit", before), "name what the change is measured with: --base BRANCH"), nil
	}
	if _, err := repo.Commit(ctx, before); errors.Is(err, git.ErrNotFound) {
		if repo.Shallow {
			gone.Remedy += ", or " + wholeHistory
		}
		return "", gone, nil
	} else if err != nil {
		return "", nil, err
	}
	fork, err := repo.Fork(ctx, head.ID.Hex(), before)
	switch {
	case err != nil:
		return "", nil, err
	case fork == "" && repo.Shallow:
		return "", shallowBase("the clone is too shallow to tell where the branch left "+short(before), false), nil
	case fork == "":
		return before, nil, nil
	case fork == head.ID.Hex(): // the branch was put back
		return firstParent(ctx, repo, head, false)
	}
	return fork, nil, nil
}

func firstParent(ctx context.Context, repo *git.Repo, head git.Commit, named bool) (base string, unknown, err error) {
	if len(head.Parents) == 0 {
		return "", nil, nil
	}
	parent := head.Parents[0].Hex()
	if _, err := repo.Commit(ctx, parent); errors.Is(err, git.ErrNotFound) {
		return "", shallowBase("the clone does not hold the commit before this one", named), nil
	} else if err != nil {
		return "", nil, err
	}
	return parent, nil, nil
}

const wholeHistory = "fetch the whole history (git fetch --unshallow; fetch-depth: 0 in GitHub Actions, GIT_DEPTH: 0 in GitLab, fetchDepth: 0 in Azure Pipelines), then run again"

// shallowBase is the error for a base that lies beyond the end of a shallow clone.
func shallowBase(why string, named bool) error {
	if named {
		return untold(why, wholeHistory)
	}
	return untold(why, "name the branch that it goes to with --base BRANCH, or "+wholeHistory)
}

// untold is the error for a change of which nobody can say what judges it.
func untold(why, remedy string) *verdict.Error {
	return &verdict.Error{Code: verdict.CodeUnavailable, What: "the map that judges this change cannot be told: " + why, Remedy: remedy}
}
