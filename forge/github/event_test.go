package github

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"verdict/forge"
)

func environment(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
}

func event(t *testing.T, name, path string) (forge.Request, bool) {
	t.Helper()
	r, ok, err := Event(environment(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": name, "GITHUB_EVENT_PATH": path, "GITHUB_REPOSITORY": "acme/house"}))
	if err != nil {
		t.Fatal(path, err)
	}
	return r, ok
}

// The payloads are those of GitHub's own documentation.
func TestEventFilesOfGitHub(t *testing.T) {
	root := os.Getenv("VERDICT_CORPORA")
	if root == "" {
		root = "../../../shared/corpora"
	}
	files, err := filepath.Glob(filepath.Join(root, "github", "webhooks", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("the payloads of GitHub are missing (set VERDICT_CORPORA): %v", err)
	}
	requests := 0
	for _, f := range files {
		name, _, _ := strings.Cut(filepath.Base(f), "--")
		r, ok := event(t, name, f)
		if about := strings.HasPrefix(name, "pull_request"); ok != about {
			t.Errorf("%s is about a request: %v", f, ok)
		}
		if !ok {
			continue
		}
		requests++
		if r.Repo != "Codertocat/Hello-World" || r.ID != "2" || r.Author.ID != "21031067" || r.Head != "ec26c3e57ca3a959ca5aad62de7213c562f8c821" || r.Source != "changes" || r.Target != "master" {
			t.Errorf("%s: %+v", f, r)
		}
		if want := map[bool]string{true: forge.Closed, false: forge.Open}[strings.Contains(f, "closed")]; r.State != want || r.Merge != "" {
			t.Errorf("%s: %s with the merge %q, want %s and none: nobody merged it", f, r.State, r.Merge, want)
		}
		for _, what := range []string{forge.MissingReviews, forge.MissingRequired, forge.MissingProtection} {
			if !r.Lacks(what) {
				t.Errorf("%s: an event cannot tell %s", f, what)
			}
		}
		if strings.Contains(f, "review--dismissed") && (len(r.Reviews) != 1 || r.Reviews[0].State != forge.Dismissed || r.Reviews[0].Commit != r.Head) {
			t.Errorf("%s: %+v", f, r.Reviews)
		}
	}
	if requests < 5 {
		t.Errorf("%d events about requests in %d files", requests, len(files))
	}
}

const mergeGroup = `{"action":"checks_requested","merge_group":{"head_sha":"1111111111111111111111111111111111111111",
	"head_ref":"refs/heads/gh-readonly-queue/main/pr-104-2222222222222222222222222222222222222222","base_ref":"refs/heads/main"},"repository":{"full_name":"acme/house"}}`

func TestEventOfAMergeQueue(t *testing.T) {
	path := filepath.Join(t.TempDir(), "event.json")
	if err := os.WriteFile(path, []byte(mergeGroup), 0o600); err != nil {
		t.Fatal(err)
	}
	r, ok := event(t, "merge_group", path)
	if !ok || r.ID != "104" || r.Target != "main" || r.Head != "" || !r.Lacks(forge.MissingHead) || !r.Lacks(forge.MissingAuthor) {
		t.Errorf("the queue's commit is not the head of the request: %+v", r)
	}
}

func TestEventsThatCannotBeReadAreErrors(t *testing.T) {
	dir := t.TempDir()
	for name, body := range map[string]string{
		"cut.json": `{"pull_request":{"number":1`, "none.json": `{}`, "null.json": `{"pull_request":null}`, "text.json": "hello", "empty.json": "",
		"type.json": `{"pull_request":{"number":"1"}}`, "headless.json": `{"pull_request":{"number":1,"state":"open","base":{"ref":"main"}}}`,
	} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(body), 0o600); err != nil {
			t.Fatal(err)
		}
		if r, ok, err := Event(environment(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_NAME": "pull_request", "GITHUB_EVENT_PATH": path})); err == nil {
			t.Errorf("%s: %v %+v", name, ok, r)
		}
	}
	if _, _, err := Event(environment(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": filepath.Join(dir, "gone")})); err == nil {
		t.Error("a file that is not there passes for an event without a request")
	}
	if _, _, err := Event(environment(map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_EVENT_PATH": dir})); err == nil {
		t.Error("a folder passes for an event without a request")
	}
	if _, ok, err := Event(environment(nil)); ok || err != nil {
		t.Errorf("outside of GitHub Actions: %v, %v", ok, err)
	}
}

func TestDetect(t *testing.T) {
	actions := map[string]string{"GITHUB_ACTIONS": "true", "GITHUB_REPOSITORY": "acme/house", "GITHUB_API_URL": "https://ghe.example/api/v3", "GITHUB_TOKEN": "x"}
	for _, c := range []struct {
		name string
		env  map[string]string
		want forge.Place
	}{
		{"a pull request", map[string]string{"GITHUB_REF": "refs/pull/12/merge"}, forge.Place{ID: "12", Token: "GITHUB_TOKEN"}},
		{"a merge queue", map[string]string{"GITHUB_REF": "refs/heads/gh-readonly-queue/release/1/pr-7-" + strings.Repeat("a", 40)}, forge.Place{ID: "7", Token: "GITHUB_TOKEN"}},
		{"a push", map[string]string{"GITHUB_REF": "refs/heads/pull/12"}, forge.Place{Token: "GITHUB_TOKEN"}},
		{"a ref that is no number", map[string]string{"GITHUB_REF": "refs/pull/../../x"}, forge.Place{Token: "GITHUB_TOKEN"}},
		{"a token of its own comes first", map[string]string{"VERDICT_FORGE_TOKEN": "y"}, forge.Place{Token: "VERDICT_FORGE_TOKEN"}},
		{"no token", map[string]string{"GITHUB_TOKEN": ""}, forge.Place{}},
	} {
		got, ok := Detect(func(name string) string {
			if v, set := c.env[name]; set {
				return v
			}
			return actions[name]
		})
		c.want.Forge, c.want.API, c.want.Repo = forge.GitHub, "https://ghe.example/api/v3", "acme/house"
		if !ok || got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	got, ok := Detect(environment(map[string]string{
		"TF_BUILD": "True", "BUILD_REPOSITORY_PROVIDER": "GitHub", "BUILD_REPOSITORY_NAME": "acme/house", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER": "3", "SYSTEM_ACCESSTOKEN": "of Azure",
	}))
	if !ok || got != (forge.Place{Forge: forge.GitHub, API: publicAPI, Repo: "acme/house", ID: "3"}) {
		t.Errorf("Azure Pipelines with a repository on GitHub: %+v", got)
	}
	for _, env := range []map[string]string{nil, {"GITHUB_REPOSITORY": "acme/house"}, {"GITLAB_CI": "true"}, {"TF_BUILD": "True", "BUILD_REPOSITORY_PROVIDER": "TfsGit"}} {
		if p, ok := Detect(environment(env)); ok {
			t.Errorf("%v is no job with a repository on GitHub: %+v", env, p)
		}
	}
}

// FuzzEvent: the file is whatever an earlier step left there.
func FuzzEvent(f *testing.F) {
	f.Add("merge_group", []byte(mergeGroup))
	f.Add("pull_request", []byte(`{"pull_request":{"number":1,"state":"closed","merged_at":"2026-03-01T10:00:00Z","merge_commit_sha":null,"head":{"ref":"a","sha":"1111111111111111111111111111111111111111"},"base":{"ref":"main"},"user":null}}`))
	f.Add("pull_request_review", []byte(`{"review":{"state":"approved","user":{"id":1},"commit_id":null},"pull_request":{"number":1,"state":"open","head":{"sha":"1111111111111111111111111111111111111111"},"base":{"ref":"main"}}}`))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		r, ok, err := parseEvent(name, body)
		if err != nil || !ok {
			return
		}
		if forge.CheckID(r.ID) != nil || !slices.Contains([]string{forge.Open, forge.Merged, forge.Closed}, r.State) || !r.Lacks(forge.MissingReviews) || !r.Lacks(forge.MissingProtection) || r.Required != forge.Unknown {
			t.Fatalf("an event says more than events can: %+v", r)
		}
		if r.Head != "" && !forge.Hex(r.Head) || r.Head == "" && !r.Lacks(forge.MissingHead) || r.Merge != "" && !forge.Hex(r.Merge) {
			t.Fatalf("commits: %+v", r)
		}
	})
}
