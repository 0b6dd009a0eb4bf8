package main

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/evidence"
)

const builtCommit = "0a1b2c3d4e5f60718293a4b5c6d7e8f901234567"

var (
	inGitHub = environment{
		"GITHUB_ACTIONS": "true", "GITHUB_SERVER_URL": "https://github.com", "GITHUB_REPOSITORY": "acme/shop", "GITHUB_REF": "refs/tags/v1", "GITHUB_SHA": builtCommit,
		"GITHUB_WORKFLOW_REF": "acme/shop/.github/workflows/release.yml@refs/tags/v1", "GITHUB_RUN_ID": "7", "GITHUB_RUN_ATTEMPT": "2", "GITHUB_EVENT_NAME": "push", "RUNNER_ENVIRONMENT": "github-hosted",
	}
	inAzure = environment{
		"TF_BUILD": "True", "SYSTEM_COLLECTIONURI": "https://dev.azure.com/acme/", "SYSTEM_TEAMPROJECT": "web shop", "SYSTEM_DEFINITIONID": "12", "BUILD_BUILDID": "345",
		"BUILD_REPOSITORY_URI": "https://dev.azure.com/acme/web%20shop/_git/cart", "BUILD_SOURCEBRANCH": "refs/heads/main", "BUILD_SOURCEVERSION": builtCommit,
		"BUILD_DEFINITIONNAME": "cart", "BUILD_REASON": "IndividualCI", "SYSTEM_PIPELINESTARTTIME": "2026-11-20 09:00:00+00:00",
	}
	inGitLab = environment{
		"GITLAB_CI": "true", "CI_PROJECT_URL": "https://gitlab.com/acme/shop", "CI_COMMIT_REF_NAME": "main", "CI_COMMIT_SHA": builtCommit, "CI_CONFIG_PATH": "ci/build.yml",
		"CI_JOB_URL": "https://gitlab.com/acme/shop/-/jobs/9", "CI_PIPELINE_SOURCE": "push", "CI_JOB_STARTED_AT": "2026-11-20T09:00:00Z",
	}
)

func with(env environment, set ...string) environment {
	out := environment{}
	for k, v := range env {
		out[k] = v
	}
	for i := 0; i < len(set); i += 2 {
		out[set[i]] = set[i+1]
	}
	return out
}

// A gate holds what a pipeline states against the map: a source or a parameter that is stated
// otherwise than it was would be trusted, or would stop what is right.
func TestWhatAPipelineStatesOfItsBuildIsReadAsItHappened(t *testing.T) {
	for _, c := range []struct {
		name                         string
		env                          environment
		builder, source, ref, invoke string
		parameters                   []string
	}{
		{"GitHub Actions", inGitHub, "https://github.com/acme/shop/.github/workflows/release.yml@refs/tags/v1", "https://github.com/acme/shop", "refs/tags/v1",
			"https://github.com/acme/shop/actions/runs/7/attempts/2", []string{"definition", "ref", "repository", "trigger"}},
		{"Azure Pipelines", inAzure, "https://dev.azure.com/acme/web%20shop/_build?definitionId=12", "https://dev.azure.com/acme/web%20shop/_git/cart", "refs/heads/main",
			"https://dev.azure.com/acme/web%20shop/_build/results?buildId=345", []string{"definition", "ref", "repository", "trigger"}},
		{"Azure Pipelines, started by hand: variables may have been set", with(inAzure, "BUILD_REASON", "Manual"), "https://dev.azure.com/acme/web%20shop/_build?definitionId=12",
			"https://dev.azure.com/acme/web%20shop/_git/cart", "refs/heads/main", "https://dev.azure.com/acme/web%20shop/_build/results?buildId=345", []string{"definition", "ref", "repository", "trigger", "variables"}},
		{"GitLab CI", inGitLab, "https://gitlab.com/acme/shop//ci/build.yml@refs/heads/main", "https://gitlab.com/acme/shop", "refs/heads/main",
			"https://gitlab.com/acme/shop/-/jobs/9", []string{"definition", "ref", "repository", "trigger"}},
		{"GitLab CI, a tag, started by hand", with(inGitLab, "CI_COMMIT_TAG", "v1", "CI_PIPELINE_SOURCE", "web"), "https://gitlab.com/acme/shop//ci/build.yml@refs/tags/v1",
			"https://gitlab.com/acme/shop", "refs/tags/v1", "https://gitlab.com/acme/shop/-/jobs/9", []string{"definition", "ref", "repository", "trigger", "variables"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			b, err := buildOf(c.env)
			if err != nil {
				t.Fatal(err)
			}
			raw, err := b.predicate()
			if err != nil {
				t.Fatal(err)
			}
			p, err := evidence.ReadProvenance(evidence.ProvenanceV1, raw)
			if err != nil {
				t.Fatal(err)
			}
			var names []string
			for _, x := range p.Parameters {
				names = append(names, x.Name)
			}
			if p.Builder != c.builder || p.Source != c.source || p.Ref != c.ref || p.Invocation != c.invoke || p.Commit.Hex() != builtCommit || !slices.Equal(names, c.parameters) ||
				!strings.HasPrefix(p.BuildType, evidence.DefaultBase+"/build/") || !p.Finished.IsZero() {
				t.Errorf("%+v with %v", p, names)
			}
		})
	}
}

// What a pipeline does not say is not made up.
func TestABuildThatThePipelineDoesNotTellIsRefused(t *testing.T) {
	for name, env := range map[string]environment{
		"no pipeline at all":                    {},
		"another pipeline":                      {"JENKINS_URL": "https://ci.example"},
		"GitHub without a commit":               with(inGitHub, "GITHUB_SHA", ""),
		"GitHub with a commit that is none":     with(inGitHub, "GITHUB_SHA", "main"),
		"GitHub with a commit in upper case":    with(inGitHub, "GITHUB_SHA", strings.ToUpper(builtCommit)),
		"GitHub by hand without its event file": with(inGitHub, "GITHUB_EVENT_NAME", "workflow_dispatch"),
		"Azure without its repository":          with(inAzure, "BUILD_REPOSITORY_URI", ""),
		"GitLab without its project":            with(inGitLab, "CI_PROJECT_URL", ""),
	} {
		_, err := buildOf(env)
		var e *verdict.Error
		if !errors.As(err, &e) || e.Code != verdict.CodeUnavailable || e.Remedy == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
}
