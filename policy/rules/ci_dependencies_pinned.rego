# METADATA
# title: Files that are installed from name one version each
# description: >-
#   A range installs what its publisher releases next, which nobody has looked at.
# custom:
#   id: ci.dependencies.pinned
#   effect: deny
#   severity: medium
#   evidence: [dependencies]
#   remediation: >-
#     Pin each item to one version, or let a tool write the file with pins.
#   owner: security
package verdict.rules.ci.dependencies.pinned

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("pinned")

check := all.failing(hits, "component is named by a range", "components are named by a range") if {
	all.read
	count(hits) > 0
} else := all.clean("no range is installed from") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
