# METADATA
# title: No commands of the runner in the log
# description: >-
#   With ACTIONS_ALLOW_UNSECURE_COMMANDS whatever a step prints can set variables and the
#   path of the steps after it.
# custom:
#   id: VP-GHA-012
#   severity: high
#   formats: github-actions
#   fix: >-
#     Take ACTIONS_ALLOW_UNSECURE_COMMANDS out, and write to "$GITHUB_ENV" and "$GITHUB_PATH"
#     instead of ::set-env and ::add-path
package verdict.pipelines.github.commands

import data.verdict.pipelines.lib

name := "ACTIONS_ALLOW_UNSECURE_COMMANDS"

cause := "ACTIONS_ALLOW_UNSECURE_COMMANDS: true"

message := "what a step prints can set variables and the path of the steps after it"

on(v) if {
	upper(v.name) == name
	lower(v.text) in {"true", "1", "yes", "on"}
}

found contains lib.of_workflow("env", v.at, cause, message) if {
	some v in input.env
	on(v)
}

found contains lib.of_job(j, v.at, cause, message) if {
	some j in input.jobs
	some v in j.env
	on(v)
}

found contains lib.of_step(step, v.at, cause, message) if {
	some step in input.steps
	some v in step.env
	on(v)
}

found contains lib.of_step(step, c.at, cause, message) if {
	some step in input.steps
	some s in step.scripts
	contains(s.text, name)
	some c in s.commands
	regex.match(`ACTIONS_ALLOW_UNSECURE_COMMANDS=(?:true|1)\b.*GITHUB_ENV`, c.text)
}
