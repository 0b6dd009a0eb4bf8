# METADATA
# title: It is the build that the earlier environments saw
# custom:
#   id: deploy.gate.rebuilt
#   effect: review
#   severity: high
#   evidence: [decision]
#   remediation: >-
#     Promote the digest that the environment before saw, or promote this one there too and
#     say here why there are two builds of one commit.
#   owner: platform
package verdict.rules.deploy.gate.rebuilt

import data.verdict.rules.deploy
import input.environment
import input.promotions
import input.rollback

twins := list if {
	list := [{"digest": p.digest, "environment": p.environment} | some p in promotions.rebuilt]
	count(list) == count(promotions.rebuilt)
}

check := deploy.answer({"environment": environment.state, "promotions": promotions.state, "rollback": rollback.state}, items, {
	"fail": "an earlier environment saw another build of the same commit",
	"pass": "no other build of its commit was promoted on the way here",
	"observed": {"builds": {t.digest | some t in twins}},
	"expected": {"builds": 0},
})

items := [deploy.item(sprintf("rebuilt:%s", [t.digest]), sprintf("%s was promoted to %s and was built from the same commit", [t.digest, t.environment]), "promote that digest, or find out why the two differ") | some t in twins] if {
	rollback.requested == false
	count(twins) >= 0
}

items := [] if {
	rollback.requested == true
	count(twins) >= 0
}
