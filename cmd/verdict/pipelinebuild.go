package main

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"verdict"
	"verdict/evidence"
)

// A pipeline tells a step in variables which build it is part of. What Verdict states of that
// as provenance is worth what the signature under it is worth: whoever can run the step can
// set the variables. So it names no level; that is for the map's table of builders, by whose
// key or identity signed.

// The build types of provenance that Verdict writes: docs/provenance.md says what each
// parameter means.
const (
	buildGitHub = evidence.DefaultBase + "/build/github-actions/v1"
	buildAzure  = evidence.DefaultBase + "/build/azure-pipelines/v1"
	buildGitLab = evidence.DefaultBase + "/build/gitlab-ci/v1"
)

// pipelineBuild is what a pipeline tells of the build that it runs.
type pipelineBuild struct {
	buildType, builder, invocation string
	external, internal             map[string]any
	repository, ref, commit        string
	started                        time.Time
}

// notTold stands for what somebody may have set by hand and the pipeline does not tell apart:
// a map that does not let the builder have the parameter then refuses the build.
const notTold = "not told by the pipeline"

// buildOf reads the pipeline that this command runs in.
func buildOf(env environment) (*pipelineBuild, error) {
	switch {
	case env.get("GITHUB_ACTIONS") == "true":
		return githubBuild(env)
	case strings.EqualFold(env.get("TF_BUILD"), "true"):
		return azureBuild(env)
	case env.get("GITLAB_CI") == "true":
		return gitlabBuild(env)
	}
	return nil, &verdict.Error{
		Code: verdict.CodeUnavailable, What: "this is no pipeline of GitHub Actions, Azure Pipelines or GitLab CI, and nobody else can be asked what was built from what",
		Remedy: "run it in the pipeline's job that builds; or give the provenance that the builder wrote: verdict attest provenance FILE --subject SUBJECT",
	}
}

// githubBuild reads the default variables of GitHub Actions.
func githubBuild(env environment) (*pipelineBuild, error) {
	repository := env.get("GITHUB_SERVER_URL") + "/" + env.get("GITHUB_REPOSITORY")
	workflow := env.get("GITHUB_WORKFLOW_REF") // owner/repo/.github/workflows/x.yml@refs/heads/main
	path, _, _ := strings.Cut(strings.TrimPrefix(workflow, env.get("GITHUB_REPOSITORY")+"/"), "@")
	b := &pipelineBuild{
		buildType: buildGitHub, builder: env.get("GITHUB_SERVER_URL") + "/" + workflow,
		invocation: repository + "/actions/runs/" + env.get("GITHUB_RUN_ID") + "/attempts/" + first(env.get("GITHUB_RUN_ATTEMPT"), "1"),
		repository: repository, ref: env.get("GITHUB_REF"), commit: env.get("GITHUB_SHA"),
		external: map[string]any{"definition": path, "trigger": env.get("GITHUB_EVENT_NAME")},
		internal: setVariables(env, map[string]string{
			"repository_id": "GITHUB_REPOSITORY_ID", "repository_owner_id": "GITHUB_REPOSITORY_OWNER_ID", "runner_environment": "RUNNER_ENVIRONMENT", "run_id": "GITHUB_RUN_ID",
		}),
	}
	if err := b.whole(env, "GITHUB_SERVER_URL", "GITHUB_REPOSITORY", "GITHUB_WORKFLOW_REF", "GITHUB_RUN_ID", "GITHUB_REF", "GITHUB_SHA"); err != nil {
		return nil, err
	}
	return b, b.githubInputs(env)
}

// githubInputs takes what somebody typed or sent to start the workflow.
func (b *pipelineBuild) githubInputs(env environment) error {
	of := map[string]string{"workflow_dispatch": "inputs", "repository_dispatch": "client_payload"}[env.get("GITHUB_EVENT_NAME")]
	if of == "" {
		return nil
	}
	var event map[string]json.RawMessage
	raw, err := readLimited(env.get("GITHUB_EVENT_PATH"), maxEvent)
	if err == nil {
		err = json.Unmarshal(raw, &event)
	}
	if err != nil {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "what the workflow was started with cannot be read from the event file of the pipeline, and provenance without it would hide it",
			Remedy: "run the step where the runner puts GITHUB_EVENT_PATH (in a container: mount it)", Err: err,
		}
	}
	if given := event[of]; len(given) > 0 && string(given) != "null" && string(given) != "{}" {
		b.external["inputs"] = given
	}
	return nil
}

// azureBuild reads the predefined variables of Azure Pipelines. It does not tell variables
// and parameters that were set when a run was queued.
func azureBuild(env environment) (*pipelineBuild, error) {
	project := strings.TrimSuffix(env.get("SYSTEM_COLLECTIONURI"), "/") + "/" + url.PathEscape(env.get("SYSTEM_TEAMPROJECT"))
	b := &pipelineBuild{
		buildType: buildAzure, builder: project + "/_build?definitionId=" + env.get("SYSTEM_DEFINITIONID"),
		invocation: project + "/_build/results?buildId=" + env.get("BUILD_BUILDID"),
		repository: env.get("BUILD_REPOSITORY_URI"), ref: env.get("BUILD_SOURCEBRANCH"), commit: env.get("BUILD_SOURCEVERSION"),
		external: map[string]any{"definition": env.get("BUILD_DEFINITIONNAME"), "trigger": env.get("BUILD_REASON")},
		internal: setVariables(env, map[string]string{"collection_id": "SYSTEM_COLLECTIONID", "project_id": "SYSTEM_TEAMPROJECTID", "repository_id": "BUILD_REPOSITORY_ID", "agent": "AGENT_NAME"}),
	}
	if strings.EqualFold(env.get("BUILD_REASON"), "Manual") {
		b.external["variables"] = notTold
	}
	b.started, _ = time.Parse("2006-01-02 15:04:05-07:00", env.get("SYSTEM_PIPELINESTARTTIME"))
	return b, b.whole(env, "SYSTEM_COLLECTIONURI", "SYSTEM_TEAMPROJECT", "SYSTEM_DEFINITIONID", "BUILD_BUILDID", "BUILD_REPOSITORY_URI", "BUILD_SOURCEBRANCH", "BUILD_SOURCEVERSION")
}

// gitlabBuild reads the predefined variables of GitLab CI. It does not tell variables that
// somebody set for one pipeline.
func gitlabBuild(env environment) (*pipelineBuild, error) {
	ref := "refs/heads/" + env.get("CI_COMMIT_REF_NAME")
	switch {
	case env.get("CI_COMMIT_TAG") != "":
		ref = "refs/tags/" + env.get("CI_COMMIT_TAG")
	case env.get("CI_MERGE_REQUEST_REF_PATH") != "":
		ref = env.get("CI_MERGE_REQUEST_REF_PATH")
	}
	definition := first(env.get("CI_CONFIG_PATH"), ".gitlab-ci.yml")
	b := &pipelineBuild{
		buildType: buildGitLab, builder: env.get("CI_PROJECT_URL") + "//" + definition + "@" + ref, invocation: env.get("CI_JOB_URL"),
		repository: env.get("CI_PROJECT_URL"), ref: ref, commit: env.get("CI_COMMIT_SHA"),
		external: map[string]any{"definition": definition, "trigger": env.get("CI_PIPELINE_SOURCE")},
		internal: setVariables(env, map[string]string{"project_id": "CI_PROJECT_ID", "runner_id": "CI_RUNNER_ID", "pipeline_id": "CI_PIPELINE_ID"}),
	}
	switch env.get("CI_PIPELINE_SOURCE") {
	case "web", "api", "trigger", "schedule", "pipeline", "parent_pipeline", "chat":
		b.external["variables"] = notTold
	}
	b.started = pipelineTime(env.get("CI_JOB_STARTED_AT"))
	return b, b.whole(env, "CI_PROJECT_URL", "CI_COMMIT_REF_NAME", "CI_COMMIT_SHA", "CI_JOB_URL")
}

func pipelineTime(text string) time.Time {
	t, _ := time.Parse(time.RFC3339, text)
	return t
}

// setVariables takes the variables that are set, under names of our own.
func setVariables(env environment, names map[string]string) map[string]any {
	out := map[string]any{}
	for name, variable := range names {
		if v := env.get(variable); v != "" {
			out[name] = v
		}
	}
	return out
}

// whole refuses a build of which the pipeline does not tell what provenance has to say.
func (b *pipelineBuild) whole(env environment, needed ...string) error {
	for _, name := range needed {
		if env.get(name) == "" {
			return &verdict.Error{
				Code: verdict.CodeUnavailable, What: "the pipeline does not set " + name + ", without which nobody can tell what was built from what",
				Remedy: "run the step in the pipeline's own job; in a container, hand the variable in",
			}
		}
	}
	if _, err := verdict.ParseDigest("gitCommit:" + b.commit); err != nil {
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the pipeline names as its commit what is none", Remedy: "give the provenance that the builder wrote: verdict attest provenance FILE --subject SUBJECT", Err: err,
		}
	}
	return nil
}

// predicate is SLSA provenance v1 of the build. When it ended is not said: it has not.
func (b *pipelineBuild) predicate() ([]byte, error) {
	type object = map[string]any
	external := object{"repository": b.repository, "ref": b.ref}
	for name, v := range b.external {
		if v != "" {
			external[name] = v
		}
	}
	metadata := object{"invocationId": b.invocation}
	if !b.started.IsZero() {
		metadata["startedOn"] = b.started.UTC().Format(time.RFC3339)
	}
	return json.Marshal(object{
		"buildDefinition": object{
			"buildType": b.buildType, "externalParameters": external, "internalParameters": b.internal,
			"resolvedDependencies": []object{{"uri": "git+" + b.repository + "@" + b.ref, "digest": object{"gitCommit": b.commit}}},
		},
		"runDetails": object{"builder": object{"id": b.builder, "version": object{"verdict": version()}}, "metadata": metadata},
	})
}

// provenanceFound says in a few words what provenance tells, and refuses what nobody could
// rely on.
func provenanceFound(predicateType string, raw []byte) (string, error) {
	p, err := evidence.ReadProvenance(predicateType, raw)
	if err != nil {
		return "", err
	}
	said := "built by " + p.Builder + " from " + first(p.Source, "a source that it does not name")
	if p.Commit == "" {
		return said + ", without a commit", nil
	}
	return said + " at " + p.Commit.Short(), nil
}

// provenanceSummary is the same of what was recorded.
func provenanceSummary(s *evidence.Statement) string {
	said, err := provenanceFound(s.PredicateType, s.Body())
	if err != nil {
		return "provenance that cannot be read: " + verdict.AsError(err).What
	}
	return said
}
