# METADATA
# title: No infrastructure that is unsafe wherever it runs
# description: >-
#   Open to everybody, without encryption or with rights over everything: no environment makes that safe, so it is stopped before something is built.
# custom:
#   id: ci.iac.forbidden
#   effect: deny
#   severity: high
#   evidence: [iac]
#   remediation: >-
#     Write what each item gives instead. A false positive is stated in the ignore file, with reason, owner and expiry.
#   owner: security
package verdict.rules.ci.iac.forbidden

import data.verdict.lib
import data.verdict.rules.ci.iac as all
import input.checks.iac

hits := all.of("forbidden")

check := all.failing(hits, "unsafe setting in infrastructure code", "unsafe settings in infrastructure code") if {
	all.read
	count(hits) > 0
} else := all.clean("no unsafe setting") if {
	all.read
	count(hits) == 0
	lib.known(iac)
} else := all.not_judged if {
	all.read
	count(hits) == 0
	not lib.known(iac)
}
