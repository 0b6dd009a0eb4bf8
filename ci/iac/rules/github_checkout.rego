# METADATA
# title: No program of a stranger runs beside the secrets
# description: >-
#   pull_request_target, workflow_run and issue_comment run with the secrets and the token
#   of the repository. What a pull request brings must not be executed there.
# custom:
#   id: VP-GHA-003
#   severity: critical
#   formats: github-actions
#   fix: >-
#     Build and test what a pull request brings under on: pull_request, without secrets;
#     do what needs them in a second workflow that does not check it out
package verdict.pipelines.github.checkout

import data.verdict.pipelines.lib

found contains object.union(problem, {"severity": severity}) if {
	some t in taken
	some event in input_events
	not t.step.never[event] # the step or its job says that it is for something else
	r := result(t.step)
	severity := r.severity
	problem := lib.of_step(t.step, t.at, sprintf("on: %s, %s", [event, t.cause]), sprintf(
		"%s takes the head of a pull request, and %s runs after it: under %s what a stranger wrote runs beside the secrets and the token of this repository",
		[t.how, r.later, event],
	))
}

input_events contains e if {
	some e in {"pull_request_target", "workflow_run", "issue_comment"}
	all := object.union(object.get(input, "called_by", {}), object.get(input, "events", {}))
	all[e]
}

taken contains {"step": step, "how": "actions/checkout", "at": ref.at, "cause": sprintf("%s: %s", [key, c])} if {
	count(input_events) > 0
	some step in input.steps
	step.uses.name == "actions/checkout"
	some key in ["ref", "repository"]
	ref := step["with"][key]
	some c in ref.contexts
	head(c)
}

taken contains {"step": step, "how": "actions/checkout", "at": ref.at, "cause": "ref: refs/pull"} if {
	count(input_events) > 0
	some step in input.steps
	step.uses.name == "actions/checkout"
	ref := step["with"].ref
	regex.match(`refs/pull/|^pull/`, ref.text)
}

taken contains {"step": step, "how": sprintf("%q", [how]), "at": c.at, "cause": how} if {
	count(input_events) > 0
	some step in input.steps
	some s in step.scripts
	some c in s.commands
	some how, expression in commands
	regex.match(expression, c.text)
}

commands := {
	"gh pr checkout": `\bgh\s+pr\s+checkout\b`,
	"git fetch pull/": `\bgit\s+(?:-\S+\s+)*(?:fetch|pull)\b.*\bpull/`,
}

# By an expression in the command, or by a variable that the step has.
taken contains {"step": step, "how": "git", "at": c.at, "cause": "git checkout of the head"} if {
	count(input_events) > 0
	some step in input.steps
	some s in step.scripts
	some c in s.commands
	regex.match(`\bgit\s+(?:-\S+\s+)*(?:checkout|switch|merge|pull|reset|clone)\b`, c.text)
	some context in contexts_of(step, c)
	head(context)
}

contexts_of(step, c) := {context | some context in c.contexts} | {context |
	some v in step.visible_env
	regex.match(`^[A-Za-z_]\w*$`, v.name)
	contains(c.text, v.name)
	regex.match(sprintf(`\$(?:\{|env:)?%s(?:\W|$)`, [v.name]), c.text)
	some context in v.contexts
}

# By its number: refs/pull/1/merge is the pull request.
taken contains {"step": step, "how": "actions/checkout", "at": ref.at, "cause": "ref: refs/pull"} if {
	count(input_events) > 0
	some step in input.steps
	step.uses.name == "actions/checkout"
	ref := step["with"].ref
	some c in ref.contexts
	c in {"github.event.number", "github.event.pull_request.number", "github.event.issue.number"}
}

# Contexts that name what the pull request brings.
head(c) if lib.among(c, heads)

heads := `
github.head_ref
github.event.pull_request.merge_commit_sha
github.event.pull_request.head.sha
github.event.pull_request.head.ref
github.event.pull_request.head.label
github.event.pull_request.head.repo.full_name
github.event.pull_request.head.repo.clone_url
github.event.pull_request.head.repo.ssh_url
github.event.pull_request.head.repo.git_url
github.event.pull_request.head.repo.html_url
github.event.workflow_run.head_sha
github.event.workflow_run.head_branch
github.event.workflow_run.head_commit.id
github.event.workflow_run.head_repository.full_name
github.event.workflow_run.head_repository.clone_url
github.event.workflow_run.pull_requests.*.head.sha
github.event.workflow_run.pull_requests.*.head.ref
`

# An output of an action or script that looks the head up, as comments have no other way.
head(c) if {
	regex.match(`^steps\.[\w-]+\.outputs\.(head[_-]?(sha|ref)|pr[_-]?(head|sha|ref)[\w-]*|head)$`, c)
}

# What runs after it, the checkout's own step included where a script did it.
result(step) := {"later": "another part of the same script", "severity": "critical"} if {
	some s in step.scripts
	some c in s.commands
	some part in split(replace(replace(c.text, "&&", ";"), "||", ";"), ";")
	not passive(trim_space(part))
	not regex.match(`^(?:git|gh)\s`, trim_space(part))
} else := {"later": next.address, "severity": "critical"} if {
	all := [o | some o in input.steps; lib.after(step, o); lib.runs_something(o); executes(o)]
	next := all[0]
} else := {"later": next.address, "severity": "high"} if {
	all := [o | some o in input.steps; lib.after(step, o); o.uses; not harmless(o.uses.name)]
	next := all[0]
}

executes(o) if o.uses.kind == "local"

# A script that only prints or asks the forge takes nothing from the folder.
executes(o) if {
	some s in o.scripts
	s.key != "with.script"
	some c in s.commands
	not passive(c.text)
}

passive(text) if text == ""

passive(text) if {
	regex.match(`^(?:echo|printf|gh\s+(?:pr|issue|api)|git\s+(?:fetch|log|diff|status|rev-parse|config|show|branch|merge-base)|cat|exit|set|if|then|else|elif|fi|done|for|while|do|case|esac|true|mkdir|cd|jq|\w+=|\[)\b`, text)
}

harmless(name) if {
	regex.match(`^(?:actions/(?:checkout|upload-artifact|download-artifact|cache(?:/.*)?|github-script|labeler|setup-[a-z]+|add-to-project|create-github-app-token|first-interaction|stale)|peter-evans/.*|marocchino/sticky-pull-request-comment|mshick/add-pr-comment|thollander/actions-comment-pull-request|docker/(?:login|setup-buildx|setup-qemu)-action|aws-actions/configure-aws-credentials|azure/login|google-github-actions/auth|step-security/harden-runner|dorny/paths-filter|tj-actions/changed-files)$`, name)
}
