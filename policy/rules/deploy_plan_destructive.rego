# METADATA
# title: What a plan takes away from production is approved
# custom:
#   id: deploy.plan.destructive
#   effect: review
#   severity: high
#   evidence: [iac-plan]
#   remediation: >-
#     Have a person look at what goes: verdict approve ID. Or change it in place.
#   owner: platform
package verdict.rules.deploy.plan.destructive

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared
import input.environment
import input.plan

items := [deploy.item(sprintf("%s:%s", [r.action, r.address]), sprintf("%s would be taken away: %s", [r.address, r.action]), "have a person look at it") |
	environment.tier == "prod"
	some r in shared.read
	r.action in shared.ending
] if {
	environment.tier != null
	count(shared.read) >= 0
}

check := deploy.answer(shared.states, items, {
	"fail": sprintf("the plan takes away resources of %s", [environment.name]),
	"pass": sprintf("the plan takes away nothing of production (%d to create, %d to update)", [plan.create, plan.update]),
	"observed": {"delete": plan.delete, "replace": plan.replace},
	"expected": {"delete": 0, "replace": 0},
})
