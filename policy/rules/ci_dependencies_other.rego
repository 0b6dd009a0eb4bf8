# METADATA
# title: Nothing that another tool calls unsafe
# description: >-
#   The map may let another tool answer this question. What it finds has names of its own, and
#   counts as it says it.
# custom:
#   id: ci.dependencies.other
#   effect: deny
#   severity: high
#   evidence: [dependencies]
#   remediation: Do what the tool advises for each item.
#   owner: security
package verdict.rules.ci.dependencies.other

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

ours := union({names | some names in all.detectors})

hits := [hit | some hit in dependencies.failed; not hit.detector in ours]

check := all.failing(hits, "finding of another tool", "findings of another tool") if {
	all.read
	count(hits) > 0
} else := all.clean("no finding of another tool") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
