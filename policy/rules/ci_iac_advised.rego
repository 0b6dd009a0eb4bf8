# METADATA
# title: What infrastructure code could do better
# description: >-
#   Settings that are better otherwise and are no proof that something is unsafe. They are told, and block nothing.
# custom:
#   id: ci.iac.advised
#   effect: note
#   severity: medium
#   evidence: [iac]
#   remediation: >-
#     See what each item gives.
#   owner: security
package verdict.rules.ci.iac.advised

import data.verdict.lib
import data.verdict.rules.ci.iac as all
import input.checks.iac

hits := all.of("advised")

check := all.failing(hits, "setting could be safer", "settings could be safer") if {
	all.read
	count(hits) > 0
} else := all.clean("nothing to advise") if {
	all.read
	count(hits) == 0
	lib.known(iac)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(iac)
}
