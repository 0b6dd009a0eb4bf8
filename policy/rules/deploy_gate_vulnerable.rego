# METADATA
# title: What runs of the service is not left vulnerable
# description: >-
#   What became known of another artifact of the service that runs on in the environment. Of what
#   this one replaces nothing is held against it: it may be the repair, and what it has itself is
#   among its own vulnerabilities. Where advisories were never matched with what runs, nothing is
#   known, and the rule says so. Going back waits for nobody's repair.
# custom:
#   id: deploy.gate.vulnerable
#   effect: review
#   severity: high
#   evidence: [finding]
#   remediation: >-
#     Let the version that fixes it in first: verdict findings list names the artifact and the fix.
#     The finding is closed when that is stated to be deployed.
#   owner: appsec
package verdict.rules.deploy.gate.vulnerable

import data.verdict.lib
import data.verdict.rules.deploy
import data.verdict.rules.deploy.gate.sla
import input.environment
import input.rollback
import input.runtime

staying := [v | some v in runtime.vulnerable.open; v.replaced == false]

replaced := [v | some v in runtime.vulnerable.open; v.replaced == true]

# pressing: it is exploited or malicious, or open for longer than the environment allows.
pressing(v) if v.exploited == true

pressing(v) if v.malicious == true

pressing(v) if {
	sla.limits[v.severity] >= 0
	v.open_seconds > sla.limits[v.severity]
}

# timely: none of it.
timely(v) if {
	v.exploited == false
	v.malicious == false
	v.open_seconds >= 0
	allowed(v)
}

allowed(v) if sla.limits[v.severity] < 0

allowed(v) if v.open_seconds <= sla.limits[v.severity]

late := [v | some v in staying; pressing(v)]

waiting := [v | some v in staying; timely(v)]

# judged: each finding is of one kind.
judged if sum([count(late), count(waiting), count(replaced)]) == count(runtime.vulnerable.open)

check := deploy.answer({"environment": environment.state, "findings of what runs": runtime.vulnerable.state, "rollback": rollback.state}, items, {
	"fail": sprintf("what runs on in %s has %s that cannot wait", [environment.name, vulnerabilities(late)]),
	"pass": sprintf("what runs on in %s has %s, and none that cannot wait", [environment.name, vulnerabilities(staying)]),
	"observed": {"pressing": count(late), "replaced": count(replaced)},
	"expected": {"pressing": 0},
})

vulnerabilities(list) := lib.counted(count(list), "known vulnerability", "known vulnerabilities")

# told: one item for each that cannot wait, with all members or not at all.
told := [deploy.item(
	sprintf("%s@%s", [v.id, v.artifact]),
	sprintf("%s in %s, which runs in %s, %s", [v.id, v.artifact, environment.name, because(v)]),
	fix(v),
) |
	some v in late
]

# items: to go back to what ran before waits for nobody's repair.
items := told if {
	judged
	count(told) == count(late)
	rollback.requested == false
}

items := [] if {
	judged
	rollback.requested == true
}

because(v) := "is exploited" if {
	v.exploited == true
} else := "is malicious" if {
	v.malicious == true
} else := sprintf("is known for %s, longer than allowed", [lib.counted(floor(v.open_seconds / 86400), "day", "days")])

fix(v) := sprintf("deploy %s with the fix %s first", [v.artifact, v.fixed]) if v.fixed != ""

fix(v) := sprintf("no fix is known: take %s away, or state by VEX what is true of it", [v.artifact]) if v.fixed == ""
