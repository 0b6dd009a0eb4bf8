package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"verdict"
	"verdict/git"
)

// history is a clone with named commits:
//
//	A - B - C          main
//	    |\
//	    | W - L        feature: a weak map, then what it lets through
//	    X              what main stood on before a force push
//	M                  the trial merge of C and L
//	O1 - O2            a history of its own
type history struct {
	t   *testing.T
	dir string
	ids map[string]string
}

func newHistory(t *testing.T) *history {
	t.Helper()
	h := &history{t: t, dir: t.TempDir(), ids: map[string]string{}}
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	for _, who := range []string{"AUTHOR", "COMMITTER"} {
		t.Setenv("GIT_"+who+"_NAME", "Ada")
		t.Setenv("GIT_"+who+"_EMAIL", "ada@acme.example")
	}
	h.git("init", "-q", ".")
	h.git("remote", "add", "origin", "https://git.example/acme/shop.git")
	tree := h.git("hash-object", "-w", "-t", "tree", os.DevNull)
	for _, c := range []struct{ name, parents string }{
		{"A", ""}, {"B", "A"}, {"C", "B"}, {"W", "B"}, {"L", "W"}, {"X", "B"}, {"M", "C L"}, {"O1", ""}, {"O2", "O1"},
	} {
		args := []string{"commit-tree", tree, "-m", c.name}
		for _, p := range strings.Fields(c.parents) {
			args = append(args, "-p", h.ids[p])
		}
		h.ids[c.name] = h.git(args...)
	}
	return h
}

func (h *history) git(args ...string) string {
	h.t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = h.dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		h.t.Fatalf("git %v: %v\n%s", args, err, out)
	}
	return strings.TrimSpace(string(out))
}

// filled puts ids in the place of (names).
func (h *history) filled(s string) string {
	for name, id := range h.ids {
		s = strings.ReplaceAll(s, "("+name+")", id)
	}
	return strings.ReplaceAll(s, "(0)", strings.Repeat("0", 40))
}

// baseCase is a run of a pipeline, or of nobody's.
type baseCase struct {
	name  string
	refs  string // NAME=COMMIT …; short names are branches of the remote
	head  string
	env   string // NAME=VALUE …
	event string // content of GitHub's event file; empty: there is none
	want  string // name of a commit, "none", or words of the error
}

const (
	onGitHub = "CI=true GITHUB_ACTIONS=true "
	onGitLab = "CI=true GITLAB_CI=true CI_PIPELINE_SOURCE=push "
	onAzure  = "TF_BUILD=True "
)

var baseCases = []baseCase{
	{"GitHub: a push of two commits to the default branch is measured with what that stood on", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(B)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: a second push to a feature branch is not measured with the first", "main=C feature=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/feature", "before": "(W)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: nor where the event does not tell the default branch", "main=C feature=L", "L", onGitHub + "GITHUB_EVENT_NAME=push", `{"ref": "refs/heads/feature", "before": "(W)"}`, "B"},
	{"GitHub: nor where nothing tells what was pushed", "main=C", "L", onGitHub, `{"before": "(W)"}`, "B"},
	{"GitHub: the first push of a new branch", "main=C feature=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/feature", "before": "(0)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: a new branch that brings nothing", "main=C next=C", "C", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/next", "before": "(0)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: the first push of all has nothing before it", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(0)", "repository": {"default_branch": "main"}}`, "none"},
	{"GitHub: a pull request", "main=C", "M", onGitHub + "GITHUB_EVENT_NAME=pull_request GITHUB_BASE_REF=main", `{"before": "(W)"}`, "C"},
	{"GitHub: a pull request whose own head is checked out", "main=C", "L", onGitHub + "GITHUB_EVENT_NAME=pull_request GITHUB_BASE_REF=main", "", "B"},
	{"GitHub: a review of a pull request, which has no GITHUB_BASE_REF", "main=X release=C", "M", onGitHub + "GITHUB_EVENT_NAME=pull_request_review",
		`{"pull_request": {"base": {"ref": "release"}}, "repository": {"default_branch": "main"}}`, "C"},
	{"GitHub: a merge group", "main=C", "M", onGitHub + "GITHUB_EVENT_NAME=merge_group", `{"merge_group": {"base_ref": "refs/heads/main", "base_sha": "(W)"}}`, "C"},
	{"GitHub: a tag that was moved", "main=C", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/tags/v1", "before": "(W)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: a tag that is called like the default branch", "main=C refs/tags/main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/tags/main", "before": "(W)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: main where it is not the default branch", "main=L trunk=B", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(W)", "repository": {"default_branch": "trunk"}}`, "B"},
	{"GitHub: a default branch that was not fetched", "feature=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/feature", "before": "(W)", "repository": {"default_branch": "trunk"}}`, `"trunk" was not fetched`},
	{"GitHub: no tag takes the place of a default branch that was not fetched", "feature=L refs/tags/trunk=W refs/tags/refs/remotes/origin/trunk=W", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/feature", "before": "(W)", "repository": {"default_branch": "trunk"}}`, `"trunk" was not fetched`},
	{"GitHub: a force push to the default branch", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(X)", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: a force push to the default branch over what was not fetched", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "repository": {"default_branch": "main"}}`, "stood on deadbeefdead, which is not in this clone"},
	{"GitHub: a force push to a feature branch over what was not fetched", "main=C feature=L", "L", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/feature", "before": "deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "repository": {"default_branch": "main"}}`, "B"},
	{"GitHub: the default branch is put back to an earlier commit", "main=B", "B", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(L)", "repository": {"default_branch": "main"}}`, "A"},
	{"GitHub: a default branch that begins anew is measured with the old one", "main=O2", "O2", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/main", "before": "(C)", "repository": {"default_branch": "main"}}`, "C"},
	{"GitHub: a branch without a common history is not measured with itself", "main=C alone=O2", "O2", onGitHub + "GITHUB_EVENT_NAME=push",
		`{"ref": "refs/heads/alone", "before": "(O1)", "repository": {"default_branch": "main"}}`, "C"},
	{"GitHub: what stood before is no commit", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push", `{"ref": "refs/heads/main", "before": "main~1", "repository": {"default_branch": "main"}}`, "is no commit"},
	{"GitHub: an event that is no event", "main=L", "L", onGitHub + "GITHUB_EVENT_NAME=push", `{`, "event file of the pipeline cannot be read"},

	{"GitLab: a push of two commits to the default branch", "main=L", "L", onGitLab + "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(B)", "", "B"},
	{"GitLab: where only git tells the default branch", "main=L", "L", onGitLab + "CI_COMMIT_BRANCH=main CI_COMMIT_BEFORE_SHA=(B)", "", "B"},
	{"GitLab: a second push to a feature branch", "main=C", "L", onGitLab + "CI_COMMIT_BRANCH=feature CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(W)", "", "B"},
	{"GitLab: where nothing tells what was pushed", "main=C", "L", onGitLab + "CI_COMMIT_BEFORE_SHA=(W)", "", "B"},
	{"GitLab: the first push of a new branch", "main=C", "L", onGitLab + "CI_COMMIT_BRANCH=feature CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(0)", "", "B"},
	{"GitLab: the first push of all", "main=L", "L", onGitLab + "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(0)", "", "none"},
	{"GitLab: a scheduled run, whose zeros tell nothing", "main=C", "C", onGitLab + "CI_PIPELINE_SOURCE=schedule CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(0)", "", "B"},
	{"GitLab: a merge request", "main=C", "L", onGitLab + "CI_PIPELINE_SOURCE=merge_request_event CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(0)", "", "B"},
	{"GitLab: a merge request that goes to another branch", "main=X release=C", "L", onGitLab + "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=release CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(W)", "", "B"},
	{"GitLab: a merge request's merged results", "main=C", "M", onGitLab + "CI_MERGE_REQUEST_TARGET_BRANCH_NAME=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(0)", "", "C"},
	{"GitLab: a tag", "main=C", "L", onGitLab + "CI_COMMIT_TAG=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(W)", "", "B"},
	{"GitLab: a force push to the default branch", "main=L", "L", onGitLab + "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(X)", "", "B"},
	{"GitLab: a force push over what was not fetched", "main=L", "L", onGitLab + "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=deadbeefdeadbeefdeadbeefdeadbeefdeadbeef", "", "not in this clone"},

	{"Azure: a pull request", "main=C", "M", onAzure + "BUILD_REASON=PullRequest SYSTEM_PULLREQUEST_TARGETBRANCH=refs/heads/main", "", "C"},
	{"Azure: a pull request of GitHub", "main=C", "M", onAzure + "BUILD_REASON=PullRequest SYSTEM_PULLREQUEST_TARGETBRANCH=main", "", "C"},
	{"Azure: a build of a feature branch", "main=C feature=L", "L", onAzure + "BUILD_REASON=BatchedCI BUILD_SOURCEBRANCH=refs/heads/feature", "", "B"},
	{"Azure: a build of the default branch", "main=C", "C", onAzure + "BUILD_REASON=IndividualCI BUILD_SOURCEBRANCH=refs/heads/main", "", "B"},
	{"Azure: another forge's words count for nothing", "main=C feature=L", "L", onAzure + "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(W)", "", "B"},

	{"no pipeline: a branch, with a detached head", "main=C", "L", "", "", "B"},
	{"no pipeline: the words of one count for nothing", "main=C", "L", "CI_COMMIT_BRANCH=main CI_DEFAULT_BRANCH=main CI_COMMIT_BEFORE_SHA=(W)", "", "B"},
	{"no pipeline: a clone that does not tell its default branch", "main=C master=C", "L", "", "", "cannot be told which branch is the default"},
}

// Whoever chooses the base chooses the map, the ignores, the owners and the rules that
// the change is judged by.
func TestNoPipelineMeasuresAChangeWithItself(t *testing.T) {
	for _, c := range baseCases {
		t.Run(c.name, func(t *testing.T) {
			h := newHistory(t)
			for pair := range strings.FieldsSeq(c.refs) {
				name, at, _ := strings.Cut(pair, "=")
				if !strings.HasPrefix(name, "refs/") {
					name = "refs/remotes/origin/" + name
				}
				h.git("update-ref", name, h.ids[at])
			}
			h.git("update-ref", "--no-deref", "HEAD", h.ids[c.head])
			h.git("checkout", "-q", "--detach")
			env := environment{}
			for pair := range strings.FieldsSeq(h.filled(c.env)) {
				name, value, _ := strings.Cut(pair, "=")
				env[name] = value
			}
			if c.event != "" {
				path := filepath.Join(t.TempDir(), "event.json")
				if err := os.WriteFile(path, []byte(h.filled(c.event)), 0o600); err != nil {
					t.Fatal(err)
				}
				env["GITHUB_EVENT_PATH"] = path
			}
			if got := h.base(env); got != c.want && (len(c.want) < 5 || !strings.Contains(got, c.want)) {
				t.Errorf("the change is judged by what it was at %q; want %q", got, c.want)
			}
		})
	}
}

// base is the name of the commit that a run is measured with, or the words of its error.
func (h *history) base(env environment) string {
	h.t.Helper()
	repo, err := git.Open(h.t.Context(), h.dir)
	if err != nil {
		h.t.Fatal(err)
	}
	base, unknown, err := baseOf(h.t.Context(), repo, pipelineGoal(env))
	if err = errors.Join(unknown, err); err != nil {
		var e *verdict.Error
		if base != "" || !errors.As(err, &e) || !strings.Contains(e.Remedy, "--base BRANCH") && !strings.Contains(e.Remedy, "git fetch origin ") {
			h.t.Errorf("base %q with the error %v: nobody can act on it", base, err)
		}
		return err.Error()
	}
	for name, id := range h.ids {
		if id == base {
			return name
		}
	}
	if base == "" {
		return "none"
	}
	return base
}
