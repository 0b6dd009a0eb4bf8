# METADATA
# title: What is protected stays
# custom:
#   id: deploy.plan.protected
#   effect: deny
#   severity: critical
#   evidence: [iac-plan]
#   remediation: >-
#     Change the resource in place, or take its kind off protected: of the environment in a
#     change of the map of its own.
#   owner: platform
package verdict.rules.deploy.plan.protected

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared
import input.environment

items := [deploy.item(sprintf("%s:%s", [r.action, r.address]), sprintf("%s would be taken away (%s), and its kind is protected in %s", [r.address, r.action, environment.name]), "change it in place") |
	some r in shared.read
	r.action in shared.ending
	some kind in environment.protected
	deploy.matches(kind, r.type)
] if {
	count(environment.protected) >= 0
	count(shared.read) >= 0
	environment.name
}

check := deploy.answer(shared.states, items, {
	"fail": "the plan takes away what is protected",
	"pass": "the plan takes away nothing that is protected",
	"observed": {"taken": count(items)},
	"expected": {"protected": environment.protected},
})
