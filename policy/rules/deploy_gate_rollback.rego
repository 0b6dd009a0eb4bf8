# METADATA
# title: There is a way back
# custom:
#   id: deploy.gate.rollback
#   effect: review
#   severity: medium
#   evidence: [promotion]
#   remediation: >-
#     Have a person look at it, or promote a digest here that can be gone back to. The first
#     deployment of a service has none.
#   owner: platform
package verdict.rules.deploy.gate.rollback

import data.verdict.rules.deploy
import input.environment
import input.promotions
import input.rollback

check := deploy.answer({"environment": environment.state, "promotions": promotions.state, "rollback": rollback.state}, items, {
	"fail": sprintf("%s asks for a way back, and there is none", [environment.name]),
	"pass": told,
	"observed": {"previous": rollback.previous_digest != ""},
	"expected": {"rollback": environment.rollback},
})

binds if {
	environment.rollback in {"required", "tested"}
	promotions.first == false
	rollback.requested == false
	not already
}

# already: this very digest was let in here before. Asking again changes nothing that would
# have to be taken back, and the first one would else be held against itself.
already if {
	some promotion in promotions.list
	promotion.environment == environment.name
}

items := [deploy.item("rollback:target", sprintf("no other digest of the service was promoted to %s", [environment.name]), "approve it once: the next release has this one to go back to")] if {
	binds
	rollback.previous_digest == ""
}

items := [] if {
	binds
	rollback.previous_digest != ""
}

items := [] if {
	rollback.requested == false
	promotions.first == true
}

items := [] if rollback.requested == true

items := [] if {
	rollback.requested == false
	promotions.first == false
	already
}

items := [] if {
	rollback.requested == false
	promotions.first == false
	not environment.rollback in {"required", "tested"}
	environment.rollback != null
}

told := sprintf("%s can be gone back to", [rollback.previous_digest]) if {
	rollback.previous_digest != ""
} else := "nothing has to be gone back to yet"
