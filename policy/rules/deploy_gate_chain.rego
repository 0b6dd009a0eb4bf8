# METADATA
# title: Every environment of the promotion chain exists
# custom:
#   id: deploy.gate.chain
#   effect: deny
#   severity: high
#   evidence: [environment]
#   remediation: >-
#     Mend promote_from in the map: it begins outside of production, and each environment that
#     it names exists.
#   owner: platform
package verdict.rules.deploy.gate.chain

import data.verdict.rules.deploy
import input.environment

check := deploy.answer({"environment": environment.state}, items, {
	"fail": sprintf("the promotion chain of %s is cut or comes back to itself", [environment.name]),
	"pass": sprintf("the promotion chain of %s is whole", [environment.name]),
	"observed": {"chain": environment.chain},
	"expected": {"chain": true},
})

items := [deploy.item(sprintf("chain:%s", [environment.name]), sprintf("%s is promoted from %q, and from there no chain leads to a beginning", [environment.name, environment.promote_from]), "correct promote_from in the map")] if environment.chain == false

items := [] if environment.chain == true
