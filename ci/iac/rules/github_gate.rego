# METADATA
# title: A check that fails stops the run
# description: A gate that cannot fail is none, and looks like one.
# custom:
#   id: VP-GHA-011
#   severity: high
#   formats: github-actions
#   fix: >-
#     Take continue-on-error and "|| true" out. A false positive is stated to the tool; what has
#     to run afterwards gets if: always()
package verdict.pipelines.github.gate

import data.verdict.pipelines.lib

found contains lib.of_step(g.step, g.step.at, "continue-on-error: true", "the step looks for what is unsafe, and continue-on-error: true lets the run pass whatever it finds") if {
	some g in lib.guard_ignored
}

found contains lib.of_job(j, j.at, "continue-on-error: true", sprintf("the job %s looks for what is unsafe, and continue-on-error: true lets the run pass whatever it finds", [j.id])) if {
	some j in input.jobs
	j.continue_on_error
	some step in input.steps
	step.job == j.id
	lib.guards(step)
}

found contains lib.of_step(t.step, t.command.at, "|| true", "the command looks for what is unsafe, and what stands behind || lets the run pass whatever it finds") if {
	some t in lib.thrown_away
}
