# METADATA
# title: A release to where sensitive data can be reached from outside is approved
# description: >-
#   Going back to a digest that was let in here before asks nobody.
# custom:
#   id: deploy.gate.exposure
#   effect: review
#   severity: high
#   evidence: [environment]
#   remediation: >-
#     Have a person look at the release: verdict approve ID. Nothing of the environment has to
#     change.
#   owner: security
package verdict.rules.deploy.gate.exposure

import data.verdict.rules.deploy
import input.environment

# weighty: the pairs of exposure and data that a person looks at.
weighty := {["internet", "restricted"], ["internet", "confidential"], ["partner", "restricted"]}

pair := [environment.exposure, environment.data]

check := deploy.answer({"environment": environment.state, "rollback": input.rollback.state}, items, {
	"fail": sprintf("%s is reached from %s and holds %s data", [environment.name, environment.exposure, environment.data]),
	"pass": sprintf("%s is reached from %q and holds %q data", [environment.name, environment.exposure, environment.data]),
	"observed": {"exposure": environment.exposure, "data": environment.data},
	"expected": {"review": weighty},
})

items := [deploy.item(sprintf("exposure:%s/%s", pair), sprintf("%s data, reached from %s", [environment.data, environment.exposure]), "have a person look at the release")] if {
	pair in weighty
	input.rollback.requested == false
}

items := [] if {
	pair in weighty
	input.rollback.requested == true
}

items := [] if not pair in weighty
