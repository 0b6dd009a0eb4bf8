# METADATA
# title: Every locked dependency has the content that was locked
# description: >-
#   A version that was published never changes. One whose hash is another than before was replaced, and one without a hash can be.
# custom:
#   id: ci.dependencies.integrity
#   effect: deny
#   severity: critical
#   evidence: [dependencies]
#   remediation: >-
#     Where a hash changed, find out which content is the release before anything is installed. Where one is missing, let the package manager record it.
#   owner: security
package verdict.rules.ci.dependencies.integrity

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("integrity")

check := all.failing(hits, "component has no hash or another one than before", "components have no hash or another one than before") if {
	all.read
	count(hits) > 0
} else := all.clean("every locked component has its hash") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
