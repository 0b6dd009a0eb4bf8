# METADATA
# title: A pipeline does not print its variables
# custom:
#   id: VP-GLC-004
#   severity: high
#   formats: gitlab-ci
#   fix: >-
#     Take CI_DEBUG_TRACE out of the file; who needs it sets it for one run
package verdict.pipelines.gitlab.trace

import data.verdict.pipelines.lib

found contains lib.of_workflow("variables", v.at, "CI_DEBUG_TRACE: true", "every variable, the secrets with them, is printed into the log") if {
	some v in input.variables
	traces(v)
}

found contains lib.of_job(j, v.at, "CI_DEBUG_TRACE: true", sprintf("every variable, the secrets with them, is printed into the log of %s", [j.id])) if {
	some j in input.jobs
	some v in j.variables
	traces(v)
}

traces(v) if {
	v.name in {"CI_DEBUG_TRACE", "CI_DEBUG_SERVICES"}
	lower(v.text) in {"true", "t", "1"}
}
