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
	list := [{"id": c.id, "known": c.known} | some c in change.contributors]
	count(list) == count(change.contributors)
}

# others: who worked on the change, is known, and does not ask. An account that nobody knows
# could be the one who asks.
others := [h.id |
	some h in hands
	h.known == true
	h.id != requester.person
] if {
	count(hands) >= 0
}

check := deploy.answer({"environment": environment.state, "change": change.state, "requester": requester.state}, items, {
	"fail": "nobody but the one who asks is known to have worked on the change",
	"pass": "the one who asks is not the only author of the change, or this is not production",
	"observed": {"authors": {h.id | some h in hands}, "requester": requester.person},
	"expected": {"others": 1},
})

items := [deploy.item("separation", sprintf("%s asks to deploy it, and nobody else is known to have worked on the change", [requester.person]), "let somebody else ask, or approve")] if {
	environment.tier == "prod"
	requester.kind == "person"
	count(others) == 0
}

items := [] if {
	environment.tier == "prod"
	requester.kind == "person"
	count(others) > 0
}

items := [] if {
	environment.tier == "prod"
	requester.kind != "person"
	count(others) >= 0
}

items := [] if environment.tier != "prod"
