# METADATA
# title: A check that fails stops the pipeline
# custom:
#   id: VP-GLC-001
#   severity: high
#   formats: gitlab-ci
#   fix: >-
#     Take allow_failure: true and "|| true" out. A false positive is stated to the tool; what
#     has to run afterwards gets when: always
package verdict.pipelines.gitlab.gate

import data.verdict.pipelines.lib

found contains lib.of_job(j, j.at, "allow_failure: true", sprintf("the job %s looks for what is unsafe, and allow_failure: true lets the pipeline pass whatever it finds", [j.id])) if {
	some j in input.jobs
	j.continue_on_error
	some step in input.steps
	step.job == j.id
	lib.guards(step)
}

found contains lib.of_job(j, j.at, "allow_failure: true", sprintf("the job %s looks for what is unsafe, by a job that it extends, and allow_failure lets the pipeline pass whatever it finds", [j.id])) if {
	some j in input.jobs
	j.continue_on_error
	some text in j.inherited
	regex.match(lib.guard_command, text)
}

found contains lib.of_step(t.step, t.command.at, "|| true", "the command looks for what is unsafe, and what stands behind || lets the pipeline pass whatever it finds") if {
	some t in lib.thrown_away
}
