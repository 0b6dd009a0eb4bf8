# METADATA
# title: No runtime whose support has ended
# description: >-
#   What is found in a runtime after the end of its life is not repaired any more. The table
#   of dates is imported; without one nothing is said here.
# custom:
#   id: ci.dependencies.supported
#   effect: deny
#   severity: medium
#   evidence: [dependencies]
#   remediation: Move each item to a release of the runtime that is still supported.
#   link: https://endoflife.date
#   owner: security
package verdict.rules.ci.dependencies.supported

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

# The key of a hit begins with the day of which the runtime is not supported any more,
# "end-of-life:2026-10-31:…". It counts from that day of the decision's clock on.
day(hit) := split(hit.key, ":")[1]

today := substring(input.decision.at, 0, 10)

hits := [hit | some hit in all.of("supported"); day(hit) <= today]

ahead := [hit | some hit in all.of("supported"); day(hit) > today]

read if {
	all.read
	count(hits) + count(ahead) == count(all.of("supported"))
}

check := all.failing(hits, "runtime is not supported any more", "runtimes are not supported any more") if {
	read
	count(hits) > 0
} else := all.clean(sprintf("no runtime that is known to be without support%s,", [soon])) if {
	read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	read
	count(hits) == 0
	not lib.known(dependencies)
}

soon := "" if count(ahead) == 0

soon := sprintf("; %s yet to come", [lib.counted(count(ahead), "end is", "ends are")]) if count(ahead) > 0
