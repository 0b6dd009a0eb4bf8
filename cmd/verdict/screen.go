package main

import (
	"io"

	"golang.org/x/term"
)

// screen is what a stream is connected to.
type screen struct {
	terminal bool
	colour   bool
	width    int // columns to fill: of the terminal, within what reads well, else 80
}

// lookAt decides what a stream can show. NO_COLOR (no-color.org) wins over
// CLICOLOR_FORCE; TERM=dumb has no colour and no moving cursor.
func lookAt(w io.Writer, env environment) screen {
	s := screen{width: 80}
	if f, ok := w.(interface{ Fd() uintptr }); ok && term.IsTerminal(int(f.Fd())) {
		s.terminal = env.get("TERM") != "dumb"
		if columns, _, err := term.GetSize(int(f.Fd())); err == nil && columns > 0 {
			s.width = min(max(columns, 40), 100)
		}
	}
	force := env.get("CLICOLOR_FORCE")
	switch {
	case env.get("NO_COLOR") != "":
	case force != "" && force != "0":
		s.colour = true
	default:
		s.colour = s.terminal
	}
	return s
}

// pipelines are the systems that run us in a pipeline, by the variable that each sets,
// with the one that names the run.
var pipelines = []struct{ name, mark, run string }{
	{"github", "GITHUB_ACTIONS", "GITHUB_RUN_ID"}, {"azure-pipelines", "TF_BUILD", "BUILD_BUILDID"}, {"gitlab", "GITLAB_CI", "CI_PIPELINE_ID"},
	{"jenkins", "JENKINS_URL", "BUILD_TAG"}, {"buildkite", "BUILDKITE", "BUILDKITE_BUILD_ID"}, {"circleci", "CIRCLECI", "CIRCLE_WORKFLOW_ID"},
	{"teamcity", "TEAMCITY_VERSION", "BUILD_NUMBER"}, {"bitbucket", "BITBUCKET_BUILD_NUMBER", "BITBUCKET_BUILD_NUMBER"}, {"codebuild", "CODEBUILD_BUILD_ID", "CODEBUILD_BUILD_ID"},
	{"", "CI", ""},
}

// inPipeline reports whether a pipeline runs us.
func inPipeline(env environment) bool {
	for _, p := range pipelines {
		if v := env.get(p.mark); v != "" && v != "false" {
			return true
		}
	}
	return false
}

// pipelineRun names the run of the pipeline that this command is part of; empty outside
// of one.
func pipelineRun(env environment) string {
	for _, p := range pipelines {
		if env.get(p.mark) != "" && p.name != "" && env.get(p.run) != "" {
			return p.name + ":" + env.get(p.run)
		}
	}
	return ""
}
