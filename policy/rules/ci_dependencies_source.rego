# METADATA
# title: No internal name comes from a public registry
# description: >-
#   Whoever publishes a package under an internal name gets it installed: the name is known to be nobody else's.
# custom:
#   id: ci.dependencies.source
#   effect: deny
#   severity: critical
#   evidence: [dependencies]
#   remediation: >-
#     Lock again with the registry of the organisation set for its names, and treat machines that installed the public package as compromised.
#   owner: security
package verdict.rules.ci.dependencies.source

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("source")

check := all.failing(hits, "internal name comes from a public registry", "internal names come from a public registry") if {
	all.read
	count(hits) > 0
} else := all.clean("no internal name comes from a public registry") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
