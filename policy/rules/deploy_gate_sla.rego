# METADATA
# title: No vulnerability is open for longer than the environment allows
# description: >-
#   The time counts from when the service first brought the vulnerability towards the
#   environment, and a build of the same component does not begin it anew.
# custom:
#   id: deploy.gate.sla
#   effect: deny
#   severity: high
#   evidence: [vulnerabilities]
#   remediation: >-
#     Take the fixed version and build anew. Where there is none, state by VEX what is true of
#     it, or ask for an exception: verdict exception add --help.
#   owner: appsec
package verdict.rules.deploy.gate.sla

import data.verdict.rules.ci.vulnerabilities as all
import data.verdict.rules.deploy
import input.environment

# limits: for how many seconds one may be open. Of a severity that nobody states, the worst
# but one is assumed; -1 is for ever.
limits := {
	"critical": environment.vulnerability_sla.critical,
	"high": environment.vulnerability_sla.high,
	"unknown": environment.vulnerability_sla.high,
	"medium": environment.vulnerability_sla.medium,
	"low": environment.vulnerability_sla.low,
	"info": -1,
}

# ages: severity and age of each finding; within: none of them is too old. Findings of one
# build are of few ages, and only where one is too old does anybody have to pick them out.
ages := [[f.severity, f.open_seconds] | some f in deploy.open]

distinct := {age | some age in ages}

within if {
	count(ages) == count(deploy.open)
	seconds := limits
	young := [age | some age in distinct; age[1] >= 0; age[1] <= seconds[age[0]]]
	free := [age | some age in distinct; age[1] >= -1; seconds[age[0]] < 0]
	count(young) + count(free) == count(distinct)
}

# late, undated, judged: the limits have a name of their own in each, because by that of the
# rule they would be looked up anew for every finding, which costs more than all the rest.
late := [] if {
	within
} else := [f |
	seconds := limits
	some f in deploy.open
	limit := seconds[f.severity]
	limit >= 0
	f.open_seconds > limit
]

# undated: since when a finding is open has to be known where there is a limit.
undated := [] if {
	within
} else := [f |
	seconds := limits
	some f in deploy.open
	f.open_seconds < 0
	seconds[f.severity] >= 0
]

# judged: those of which all is there that says whether they are late.
judged := [f.key |
	seconds := limits
	some f in deploy.open
	seconds[f.severity] >= -1
	f.open_seconds >= -1
]

overdue := array.concat(late, undated)

check := deploy.answer({"environment": environment.state, "vulnerabilities": deploy.matched, "database": input.vulnerabilities.database.state}, items, {
	"fail": sprintf("%d vulnerabilities are open for longer than %s allows", [count(overdue), environment.name]),
	"pass": sprintf("%d vulnerabilities are open, none for longer than %s allows%s", [count(deploy.open), environment.name, deploy.excuses]),
	"observed": {"overdue": count(overdue)},
	"expected": environment.vulnerability_sla,
})

items := [] if {
	within
} else := all.items(overdue, sprintf("is open for longer than %s allows", [environment.name])) if {
	count(judged) == count(deploy.open)
}
