# METADATA
# title: A check that fails stops the run
# custom:
#   id: VP-AZP-006
#   severity: high
#   formats: azure-pipelines
#   fix: >-
#     Take continueOnError and "|| true" out. A false positive is stated to the tool; what has to
#     run afterwards gets condition: always()
package verdict.pipelines.azure.gate

import data.verdict.pipelines.lib

found contains lib.of_step(g.step, g.step.at, "continueOnError: true", "the step looks for what is unsafe, and continueOnError: true lets the run pass whatever it finds") if {
	some g in lib.guard_ignored
}

found contains lib.of_job(j, j.at, "continueOnError: true", sprintf("the job %s looks for what is unsafe, and continueOnError: true lets the run pass whatever it finds", [j.id])) if {
	some j in input.jobs
	j.continue_on_error
	some step in input.steps
	step.job == j.id
	lib.guards(step)
}

found contains lib.of_step(t.step, t.command.at, "|| true", "the command looks for what is unsafe, and what stands behind || lets the run pass whatever it finds") if {
	some t in lib.thrown_away
}
