# METADATA
# title: Nothing about a dependency asks for a second look
# description: >-
#   None of this is proof, so it blocks nothing: programs that run at installation, names close to popular ones, names that their owner can move, hashes and licences that are not told.
# custom:
#   id: ci.dependencies.suspect
#   effect: note
#   severity: low
#   evidence: [dependencies]
#   remediation: >-
#     Look at each item; pin references to a digest, and record hashes where the tool offers it.
#   owner: security
package verdict.rules.ci.dependencies.suspect

import data.verdict.lib
import data.verdict.rules.ci.dependencies as all
import input.checks.dependencies

hits := all.of("suspect")

check := all.failing(hits, "thing about dependencies asks for a second look", "things about dependencies ask for a second look") if {
	all.read
	count(hits) > 0
} else := all.clean("nothing asks for a second look") if {
	all.read
	count(hits) == 0
	lib.known(dependencies)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(dependencies)
}
