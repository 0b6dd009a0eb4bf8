# METADATA
# title: The artifact was promoted to the environment before this one
# description: >-
#   Going back needs no promotion to the environment before: the digest was promoted here.
# custom:
#   id: deploy.gate.previous
#   effect: deny
#   severity: high
#   evidence: [promotion]
#   remediation: >-
#     Promote the digest to the environment before this one first: verdict gate --env
#     ENVIRONMENT REF.
#   owner: platform
package verdict.rules.deploy.gate.previous

import data.verdict.rules.deploy
import input.environment
import input.promotions
import input.rollback

# standing: where a promotion of this digest counts today.
standing := {p.environment |
	some p in list
	p.lapsed == false
}

list := all if {
	all := [{"environment": p.environment, "lapsed": p.lapsed} | some p in promotions.list]
	count(all) == count(promotions.list)
}

check := deploy.answer({"environment": environment.state, "promotions": promotions.state, "rollback": rollback.state}, items, {
	"fail": sprintf("nothing says that %s let this digest in", [environment.promote_from]),
	"pass": told,
	"observed": {"promoted": standing},
	"expected": {"promoted": environment.promote_from},
})

items := [deploy.item(sprintf("promotion:%s", [environment.promote_from]), sprintf("no promotion to %s counts for this digest%s", [environment.promote_from, lapsed]), sprintf("verdict gate --env %s %s", [environment.promote_from, deploy.ref]))] if {
	environment.promote_from != ""
	rollback.requested == false
	not environment.promote_from in standing
}

items := [] if {
	environment.promote_from != ""
	rollback.requested == false
	environment.promote_from in standing
}

items := [] if {
	environment.promote_from == ""
	rollback.requested == false
}

items := [] if rollback.requested == true

lapsed := ": its promotion has expired" if {
	some p in list
	p.environment == environment.promote_from
} else := ""

told := "it goes back to what was promoted here before" if {
	rollback.requested == true
} else := "no environment comes before this one" if {
	environment.promote_from == ""
} else := sprintf("%s let it in", [environment.promote_from])
