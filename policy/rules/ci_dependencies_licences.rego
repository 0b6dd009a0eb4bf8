# METADATA
# title: No licence that the map refuses
# description: >-
#   The organisation says under which licences it takes components; who ships one under another is bound by terms that it refused.
# custom:
#   id: ci.dependencies.licences
#   effect: deny
#   severity: high
#   evidence: [dependencies]
#   remediation: >-
#     Replace or remove the component, or have the owner of the map take its licence up.
#   owner: security
package verdict.rules.ci.dependencies.licences

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("licences")

check := all.failing(hits, "component has a licence that is refused", "components have a licence that is refused") if {
	all.read
	count(hits) > 0
} else := all.clean("no refused licence") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
