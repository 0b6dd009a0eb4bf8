# METADATA
# title: The environment may change at this hour
# description: >-
#   The hours are those of the clock where the environment is. Going back does not wait for
#   them.
# custom:
#   id: deploy.gate.hours
#   effect: deny
#   severity: medium
#   evidence: [environment]
#   remediation: >-
#     Ask again within the hours of the environment. To go back to an earlier digest, add
#     --rollback.
#   owner: platform
package verdict.rules.deploy.gate.hours

import data.verdict.rules.deploy
import input.environment
import input.rollback

check := deploy.answer({"environment": environment.state, "rollback": rollback.state}, items, {
	"fail": sprintf("%s changes at %s only", [environment.name, environment.hours]),
	"pass": told,
	"observed": {"open": environment.open},
	"expected": {"hours": environment.hours},
})

items := deploy.closed if rollback.requested == false

items := [] if rollback.requested == true

told := "going back does not wait for hours" if {
	rollback.requested == true
} else := sprintf("%s may change now", [environment.name])
