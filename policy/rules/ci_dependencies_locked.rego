# METADATA
# title: Every dependency is locked
# description: >-
#   What a lockfile does not say is decided by whatever a registry serves on the day of the build; what was checked here is not what is built.
# custom:
#   id: ci.dependencies.locked
#   effect: deny
#   severity: high
#   evidence: [dependencies]
#   remediation: >-
#     Write the lockfile with the command that each item gives, and commit it together with its manifest.
#   owner: security
package verdict.rules.ci.dependencies.locked

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("locked")

check := all.failing(hits, "manifest or dependency is not locked, or not as it is asked for", "manifests or dependencies are not locked, or not as they are asked for") if {
	all.read
	count(hits) > 0
} else := all.clean("every dependency is locked") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
