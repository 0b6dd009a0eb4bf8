# METADATA
# title: Somebody other than the one who asks worked on the change or looked at it
# custom:
#   id: deploy.gate.separation
#   effect: review
#   severity: medium
#   evidence: [change]
#   remediation: >-
#     Let somebody else ask for the deployment (a colleague or the pipeline), or have a person
#     approve it: verdict approve ID.
#   owner: security
package verdict.rules.deploy.gate.separation

import data.verdict.rules.deploy
import input.change
import input.environment
import input.requester

hands := list if {
	list := [c.id | some c in change.contributors]
	count(list) == count(change.contributors)
}

others := [id | some id in hands; id != requester.person]

check := deploy.answer({"environment": environment.state, "change": change.state, "requester": requester.state}, items, {
	"fail": "the only author of the change asks for its deployment",
	"pass": "the one who asks is not the only author of the change, or this is not production",
	"observed": {"authors": {id | some id in hands}, "requester": requester.person},
	"expected": {"others": 1},
})

items := [deploy.item("separation", sprintf("%s alone wrote the change and asks to deploy it", [requester.person]), "let somebody else ask, or approve")] if {
	environment.tier == "prod"
	requester.kind == "person"
	requester.person in hands
	count(others) == 0
}

items := [] if {
	environment.tier == "prod"
	requester.kind == "person"
	requester.person in hands
	count(others) > 0
}

items := [] if {
	environment.tier == "prod"
	requester.kind == "person"
	not requester.person in hands
	requester.person != ""
	count(hands) >= 0
}

items := [] if {
	environment.tier == "prod"
	requester.kind != "person"
	count(hands) >= 0
}

items := [] if environment.tier != "prod"
