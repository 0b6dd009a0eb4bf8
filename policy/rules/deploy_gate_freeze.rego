# METADATA
# title: No freeze holds
# description: >-
#   A freeze by dates holds from local midnight to local midnight. Going back does not wait
#   for its end.
# custom:
#   id: deploy.gate.freeze
#   effect: deny
#   severity: medium
#   evidence: [environment]
#   remediation: >-
#     Wait for the end of the freeze. To go back to an earlier digest, add --rollback; in an
#     emergency see verdict break-glass open --help.
#   owner: platform
package verdict.rules.deploy.gate.freeze

import data.verdict.rules.deploy
import input.environment
import input.rollback

check := deploy.answer({"environment": environment.state, "rollback": rollback.state}, items, {
	"fail": sprintf("%s is frozen", [environment.name]),
	"pass": told,
	"observed": {"freezes": count(deploy.frozen)},
	"expected": {"freezes": 0},
})

items := deploy.frozen if rollback.requested == false

items := [] if rollback.requested == true

told := "going back does not wait for a freeze" if {
	rollback.requested == true
} else := "no freeze holds"
