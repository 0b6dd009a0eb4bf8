# METADATA
# title: Production says what is at stake
# description: >-
#   What is not declared is never the same as harmless.
# custom:
#   id: deploy.gate.stakes
#   effect: deny
#   severity: high
#   evidence: [environment]
#   remediation: Declare exposure, data, blast_radius and rollback of the environment in the map.
#   owner: platform
package verdict.rules.deploy.gate.stakes

import data.verdict.rules.deploy
import input.environment

declared := {"exposure": environment.exposure, "data": environment.data, "blast_radius": environment.blast_radius, "rollback": environment.rollback}

check := deploy.answer({"environment": environment.state}, items, {
	"fail": sprintf("%s is production and does not say what is at stake", [environment.name]),
	"pass": sprintf("%s says what is at stake, or is not production", [environment.name]),
	"observed": declared,
	"expected": {"tier": environment.tier},
})

items := [deploy.item(sprintf("stakes:%s", [name]), sprintf("%s does not declare %s", [environment.name, name]), sprintf("add %s: to it in the map", [name])) |
	environment.tier == "prod"
	some name, value in declared
	value == ""
] if {
	environment.tier != null
	count(declared) == 4
}
