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
	not wrong_event(event, t.step)
	not own(t.step)
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

# The step or its job says that it is for another event than this one.
wrong_event(event, step) if {
	some condition in {step["if"], lib.job(step.job)["if"]}
	not regex.match(`!\s*\(`, condition)
	some m in regex.find_all_string_submatch_n(`github\.event_name\s*==\s*'([a-z_]+)'`, condition, -1)
	m[1] != event
	not contains(condition, sprintf("'%s'", [event]))
}

wrong_event(event, step) if {
	some condition in {step["if"], lib.job(step.job)["if"]}
	not contains(condition, "||")
	some conjunct in conjuncts(condition)
	regex.match(sprintf(`^github\.event_name\s*!=\s*'%s'$`, [event]), conjunct)
}

# The step or its job demands that the change comes from this repository, whose branches
# only those write who have its secrets anyway. With an alternative it demands nothing.
own(step) if {
	some condition in {step["if"], lib.job(step.job)["if"]}
	not contains(condition, "||")
	some conjunct in conjuncts(condition)
	regex.match(`^(?:github\.event\.pull_request\.head\.repo\.full_name\s*==\s*github\.repository|github\.event\.workflow_run\.head_repository\.full_name\s*==\s*github\.repository|github\.repository\s*==\s*github\.event\.(?:pull_request\.head\.repo|workflow_run\.head_repository)\.full_name|github\.event\.pull_request\.head\.repo\.fork\s*==\s*false|!\s*github\.event\.pull_request\.head\.repo\.fork|github\.event\.workflow_run\.event\s*==\s*'(?:push|schedule|release)')$`, conjunct)
}

# The parts of a condition that all have to hold. One within brackets is no part by itself.
conjuncts(condition) := [trim_space(part) |
	whole := regex.replace(condition, `^\s*\$\{\{|\}\}\s*$`, "")
	some part in split(whole, "&&")
]

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
	"git checkout of the head": `\bgit\s+(?:checkout|switch|merge|pull|reset)\b.*\$\{\{\s*github\.(?:head_ref|event\.pull_request\.head\.(?:sha|ref)|event\.workflow_run\.head_(?:sha|branch))`,
}

# Contexts that name what the pull request brings.
head(c) if {
	regex.match(`^github\.(head_ref|event\.pull_request\.(head\.(sha|ref|label|repo\.full_name)|merge_commit_sha)|event\.workflow_run\.(head_sha|head_branch|head_commit\.id|head_repository\.full_name|pull_requests\.\*\.head\.(sha|ref)))$`, c)
}

# An output of an action or script that looks the head up, as comments have no other way.
head(c) if {
	regex.match(`^steps\.[\w-]+\.outputs\.(head[_-]?(sha|ref)|pr[_-]?(head|sha|ref)[\w-]*|head)$`, c)
}

# What runs after it, the checkout's own step included where a script did it.
result(step) := {"later": "another part of the same script", "severity": "critical"} if {
	count(step.scripts) > 0
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
	not regex.match(`^(?:echo|printf|gh\s+(?:pr|issue|api)|git\s+(?:fetch|log|diff|status|rev-parse|config|show|branch|merge-base)|cat|exit|set|if|then|else|elif|fi|done|for|while|do|case|esac|true|mkdir|jq|\w+=|\[)\b`, c.text)
}

harmless(name) if {
	regex.match(`^(?:actions/(?:checkout|upload-artifact|download-artifact|cache(?:/.*)?|github-script|labeler|setup-[a-z]+|add-to-project|create-github-app-token|first-interaction|stale)|peter-evans/.*|marocchino/sticky-pull-request-comment|mshick/add-pr-comment|thollander/actions-comment-pull-request|docker/(?:login|setup-buildx|setup-qemu)-action|aws-actions/configure-aws-credentials|azure/login|google-github-actions/auth|step-security/harden-runner|dorny/paths-filter|tj-actions/changed-files)$`, name)
}
