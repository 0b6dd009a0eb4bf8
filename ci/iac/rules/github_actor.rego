# METADATA
# title: Whom a run trusts is not asked of who started it last
# description: >-
#   github.actor is who did the last step. Somebody who lets a bot push to their own pull
#   request is taken for the bot.
# custom:
#   id: VP-GHA-017
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Compare github.event.pull_request.user.login instead, and
#     github.event.pull_request.head.repo.full_name with github.repository
package verdict.pipelines.github.actor

import data.verdict.pipelines.lib

spoofed := `\bgithub\.(?:actor|triggering_actor)\s*==\s*'[^']+\[bot\]'`

# Under pull_request a run of a stranger has no secrets to win.
exposed if {
	some e in {"pull_request_target", "workflow_run"}
	input.events[e]
}

found contains lib.of_job(j, j.at, "if: github.actor == a bot", sprintf("the job %s believes that a bot acts because it acted last", [j.id])) if {
	exposed
	some j in input.jobs
	regex.match(spoofed, j["if"])
	not contains(j["if"], "pull_request.user.login")
}

found contains lib.of_step(step, step.at, "if: github.actor == a bot", "the step believes that a bot acts because it acted last") if {
	exposed
	some step in input.steps
	regex.match(spoofed, step["if"])
	not contains(step["if"], "pull_request.user.login")
}
