# METADATA
# title: The first deployment of a service to production is approved
# custom:
#   id: deploy.gate.first
#   effect: review
#   severity: medium
#   evidence: [promotion]
#   remediation: >-
#     Have a person look at the first deployment: verdict approve ID.
#   owner: platform
package verdict.rules.deploy.gate.first

import data.verdict.rules.deploy
import input.environment
import input.promotions

check := deploy.answer({"environment": environment.state, "promotions": promotions.state}, items, {
	"fail": sprintf("nothing of the service was promoted to %s before", [environment.name]),
	"pass": "the service is known here, or this is not production",
	"observed": {"first": promotions.first, "tier": environment.tier},
	"expected": {"first": false},
})

items := [deploy.item("first", sprintf("it is the first deployment of the service to %s", [environment.name]), "have a person approve it")] if {
	environment.tier == "prod"
	promotions.first == true
}

items := [] if {
	environment.tier == "prod"
	promotions.first == false
}

items := [] if environment.tier != "prod"
