# METADATA
# title: Infrastructure code can be read
# description: >-
#   What cannot be read is applied as something else than was meant, or not at all, and nobody can judge it.
# custom:
#   id: ci.iac.valid
#   effect: deny
#   severity: high
#   evidence: [iac]
#   remediation: >-
#     Mend each file at the place that its item gives.
#   owner: security
package verdict.rules.ci.iac.valid

import data.verdict.lib
import data.verdict.rules.ci.iac as all
import input.checks.iac

hits := all.of("valid")

check := all.failing(hits, "file of infrastructure code cannot be read", "files of infrastructure code cannot be read") if {
	all.read
	count(hits) > 0
} else := all.clean("all infrastructure code can be read") if {
	all.read
	count(hits) == 0
	lib.known(iac)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(iac)
}
