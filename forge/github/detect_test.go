package github

import (
	"strings"
	"testing"

	"verdict/forge"
)

func environment(m map[string]string) func(string) string {
	return func(name string) string { return m[name] }
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
