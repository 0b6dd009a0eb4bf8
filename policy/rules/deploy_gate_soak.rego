# METADATA
# title: The artifact was in the environment before for as long as the map asks
# description: >-
#   Going back does not wait.
# custom:
#   id: deploy.gate.soak
#   effect: deny
#   severity: medium
#   evidence: [promotion]
#   remediation: >-
#     Wait until the soak time is over, then ask again. To go back to an earlier digest, add
#     --rollback.
#   owner: platform
package verdict.rules.deploy.gate.soak

import data.verdict.rules.deploy
import input.environment
import input.promotions
import input.rollback

# waited: for how long the digest is in the environment before, by promotions that count.
waited := [p.age |
	some p in list
	p.environment == environment.promote_from
	p.lapsed == false
]

list := all if {
	all := [{"environment": p.environment, "lapsed": p.lapsed, "age": p.age_seconds} | some p in promotions.list]
	count(all) == count(promotions.list)
}

check := deploy.answer({"environment": environment.state, "promotions": promotions.state, "rollback": rollback.state}, items, {
	"fail": sprintf("the soak time of %s is not over", [duration(environment.soak_seconds)]),
	"pass": told,
	"observed": {"soaked": count(items) == 0},
	"expected": {"soak_seconds": environment.soak_seconds},
})

binds if {
	environment.soak_seconds > 0
	environment.promote_from != ""
	rollback.requested == false
}

items := [deploy.item(sprintf("soak:%s", [environment.promote_from]), sprintf("%s, and %s asks for %s there", [standing, environment.name, duration(environment.soak_seconds)]), way)] if {
	binds
	longest < environment.soak_seconds
}

items := [] if {
	binds
	longest >= environment.soak_seconds
}

items := [] if rollback.requested == true

items := [] if {
	rollback.requested == false
	environment.soak_seconds == 0
}

items := [] if {
	rollback.requested == false
	environment.soak_seconds > 0
	environment.promote_from == ""
}

# standing and way: how long it is there, and what to do; one that never came there waits for
# nothing.
standing := sprintf("no promotion to %s counts for it", [environment.promote_from]) if {
	count(waited) == 0
} else := sprintf("it is in %s for %s", [environment.promote_from, duration(longest)])

way := sprintf("have it let in there first: verdict gate --env %s %s, then wait", [environment.promote_from, deploy.ref]) if {
	count(waited) == 0
} else := sprintf("ask again in %s", [duration(environment.soak_seconds - longest)])

longest := max(array.concat([0], waited))

# duration: in whole minutes, rounded up, as people say it.
duration(seconds) := spoken(ceil(seconds / 60))

spoken(minutes) := sprintf("%dm", [minutes]) if {
	minutes < 60
} else := sprintf("%dh", [floor(minutes / 60)]) if {
	minutes % 60 == 0
} else := sprintf("%dh%dm", [floor(minutes / 60), minutes % 60])

told := "going back does not wait" if {
	rollback.requested == true
} else := "the map asks for no soak time" if {
	environment.soak_seconds == 0
} else := "the soak time is over"
