package gitlab

import (
	"net/http"
	"testing"

	"verdict/forge"
	"verdict/forge/forgetest"
)

const (
	projectPath = "/projects/acme%2Fbuilding%2Fhouse"
	requestPath = projectPath + "/merge_requests/12"
)

func read(t *testing.T, h http.Handler) forge.Request {
	t.Helper()
	r, err := New(forgetest.GitLab.Place(forgetest.Start(t, h)), forgetest.Token, forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	got, err := r.Request(t.Context(), "12")
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// GitLab Free has neither approval rules nor push rules, and answers as if a right were
// missing.
func TestGitLabFreeIsUnknownAndNotUnprotected(t *testing.T) {
	h := forgetest.GitLab.Serve(forgetest.Basic())
	h = forgetest.Override(h, requestPath+"/approvals", 200, `{"approved_by":[{"user":{"id":102,"username":"bob"}}]}`)
	for _, path := range []string{requestPath + "/approval_state", projectPath + "/approvals", projectPath + "/push_rule"} {
		h = forgetest.Override(h, path, 404, `{"error":"404 Not Found"}`)
	}
	got := read(t, h)
	if got.Required != forge.Unknown || got.Protection.Known || got.Protection.RequiresReview || len(got.Reviews) != 1 || got.Reviews[0].Commit != got.Head {
		t.Errorf("%+v", got)
	}
	for _, what := range []string{forge.MissingRequired, forge.MissingProtection, forge.MissingDismisses, forge.MissingSigned} {
		if !got.Lacks(what) {
			t.Errorf("%s is neither read nor missing: %+v", what, got.Missing)
		}
	}
	if !got.Protection.ForbidsForcePush || !got.Protection.RequiresCodeOwner {
		t.Errorf("what the branch itself says is lost: %+v", got.Protection)
	}
}

// A push that resets approvals leaves one note, in the name of whoever pushed.
func TestResetByAPushIsADismissal(t *testing.T) {
	h := forgetest.GitLab.Serve(forgetest.Basic())
	h = forgetest.Override(h, requestPath+"/approvals", 200, `{"approvals_required":1,"approved_by":[]}`)
	h = forgetest.Override(h, requestPath+"/reviewers", 200, `[{"user":{"id":102},"state":"unreviewed"}]`)
	h = forgetest.Override(h, requestPath+"/notes", 200, `[
		{"system":true,"body":"approved this merge request","author":{"id":102,"username":"bob"},"created_at":"2026-03-01T10:10:00Z"},
		{"system":true,"body":"reset approvals from @bob by pushing to the branch","author":{"id":101},"created_at":"2026-03-01T10:20:00Z"}]`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].State != forge.Dismissed || got.Reviews[0].By.ID != "102" || got.Reviews[0].Commit != forgetest.Commit("1") {
		t.Errorf("%+v", got.Reviews)
	}
}

func TestApprovalStateStandsInForTheNumber(t *testing.T) {
	h := forgetest.Override(forgetest.GitLab.Serve(forgetest.Basic()), requestPath+"/approvals", 200, `{"approved_by":[]}`)
	if got := read(t, h); got.Required != 2 || !got.Protection.Known || !got.Protection.RequiresReview {
		t.Errorf("%d approvals, %+v", got.Required, got.Protection)
	}
}

func TestTimeOfAnApprovalIsTakenFromGitLabWhereItTells(t *testing.T) {
	h := forgetest.Override(forgetest.GitLab.Serve(forgetest.Basic()), requestPath+"/approvals", 200,
		`{"approvals_required":2,"approved_by":[{"user":{"id":102,"username":"bob"},"approved_at":"2026-03-01T10:05:00Z"}]}`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].Commit != forgetest.Commit("1") {
		t.Errorf("%+v", got.Reviews)
	}
}

// Versions of GitLab differ in whether a request for changes takes the own approval back.
func TestRequestForChangesOutweighsTheOwnApproval(t *testing.T) {
	h := forgetest.Override(forgetest.GitLab.Serve(forgetest.Basic()), requestPath+"/reviewers", 200, `[{"user":{"id":102,"username":"bob"},"state":"requested_changes"}]`)
	if got := read(t, h); len(got.Reviews) != 1 || got.Reviews[0].State != forge.ChangesRequested {
		t.Errorf("%+v", got.Reviews)
	}
}

func TestMergeWithoutMergeCommit(t *testing.T) {
	w := forgetest.Basic()
	w.Merge = ""
	if got := read(t, forgetest.GitLab.Serve(w)); got.Merge != got.Head || got.State != forge.Merged {
		t.Errorf("a fast-forward puts the head itself on the target: %q", got.Merge)
	}
}

func TestWhoMayPushNeedsNoReview(t *testing.T) {
	for _, c := range []struct {
		name, push         string
		review, exemptless bool
	}{
		{"nobody", `[{"access_level":0}]`, true, true},
		{"maintainers", `[{"access_level":40}]`, true, false},
		{"developers", `[{"access_level":30}]`, false, false},
		{"one person", `[{"access_level":0},{"access_level":40,"user_id":7}]`, true, false},
		{"a deploy key", `[{"access_level":null,"deploy_key_id":7}]`, true, false},
		{"nobody knows", `[{}]`, false, false},
	} {
		h := forgetest.Override(forgetest.GitLab.Serve(forgetest.Basic()), projectPath+"/protected_branches", 200,
			`[{"name":"main","push_access_levels":[{"access_level":0}]},{"name":"release/*","push_access_levels":`+c.push+`}]`)
		if p := read(t, h).Protection; p.RequiresReview != c.review || p.AppliesToAdmins != c.exemptless {
			t.Errorf("%s may push: %+v", c.name, p)
		}
	}
}

func TestWildcardsOfBranches(t *testing.T) {
	for _, c := range []struct {
		pattern, branch string
		want            bool
	}{
		{"main", "main", true}, {"main", "main2", false}, {"*", "a/b", true}, {"release/*", "release/1/2", true}, {"release/*", "release", false},
		{"*-stable", "1-stable", true}, {"*-stable", "1-stable-2", false}, {"a*b*c", "a-b-b-c", true}, {"a*b*c", "acb", false}, {"a*a", "a", false}, {"", "main", false},
	} {
		if got := matchBranch(c.pattern, c.branch); got != c.want {
			t.Errorf("%q matches %q: %v", c.pattern, c.branch, got)
		}
	}
}

func environment(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func TestDetect(t *testing.T) {
	env := map[string]string{
		"GITLAB_CI": "true", "CI_API_V4_URL": "https://gitlab.example/api/v4", "CI_PROJECT_PATH": "fork/house", "CI_JOB_TOKEN": "x",
		"CI_COMMIT_SHA": forgetest.Commit("3"),
	}
	p, ok := Detect(environment(env))
	if !ok || p != (forge.Place{Forge: forge.GitLab, API: "https://gitlab.example/api/v4", Repo: "fork/house", Token: "CI_JOB_TOKEN"}) {
		t.Errorf("a pipeline of a branch: %+v", p)
	}
	for k, v := range map[string]string{
		"CI_MERGE_REQUEST_IID": "12", "CI_MERGE_REQUEST_PROJECT_PATH": "acme/house", "CI_MERGE_REQUEST_PROJECT_URL": "https://gitlab.example/acme/house",
		"CI_MERGE_REQUEST_TITLE": "Draft: x", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "door", "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main", "GITLAB_TOKEN": "y",
	} {
		env[k] = v
	}
	if p, _ := Detect(environment(env)); p.Repo != "acme/house" || p.ID != "12" || p.Token != "GITLAB_TOKEN" {
		t.Errorf("a fork's pipeline asks the project of the request: %+v", p)
	}
	env["CI_MERGE_REQUEST_IID"] = "12/../1"
	if p, _ := Detect(environment(env)); p.ID != "" {
		t.Errorf("%+v", p)
	}
}

func TestJobTokenIsSentAsSuch(t *testing.T) {
	var header http.Header
	s := forgetest.Start(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header = r.Header
		http.NotFound(w, r)
	}))
	p := forgetest.GitLab.Place(s)
	p.Token = "CI_JOB_TOKEN"
	r, err := New(p, forgetest.Token, forge.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Request(t.Context(), "12"); err == nil || header.Get("Job-Token") != forgetest.Token || header.Get("Private-Token") != "" {
		t.Errorf("%v, sent with %v", err, header)
	}
}
