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

import data.verdict.lib
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

# groups: the findings by severity and since when they are known, as the gate counted them.
# Findings of one build are of few ages, and only where one is too old does anybody have to
# pick them out.
groups := input.vulnerabilities.groups

late := [g | some g in groups; limits[g.severity] >= 0; g.open_seconds > limits[g.severity]]

# undated: since when a finding is open has to be known where there is a limit.
undated := [g | some g in groups; limits[g.severity] >= 0; g.open_seconds < 0]

timely := [g | some g in groups; limits[g.severity] >= 0; g.open_seconds >= 0; g.open_seconds <= limits[g.severity]]

unlimited := [g | some g in groups; limits[g.severity] < 0; g.open_seconds >= -1]

# told: each group is judged, and together they hold every finding.
told if {
	sum([count(late), count(undated), count(timely), count(unlimited)]) == count(groups)
	deploy.grouped
}

overdue := of(array.concat(late, undated))

# of: the open findings of some groups. They are looked up: to compare each with each group
# would take all the steps there are where much has been known since many moments.
of([]) := []

of(some_groups) := list if {
	count(some_groups) > 0
	judged
	wanted := {[g.severity, g.since] | some g in some_groups}
	list := [f | some f in deploy.open; [f.severity, f.since] in wanted]
}

# judged: every open finding is of one group.
judged if {
	known := {[g.severity, g.since] | some g in groups}
	count([f.key | some f in deploy.open; [f.severity, f.since] in known]) == count(deploy.open)
}

check := deploy.answer({"environment": environment.state, "vulnerabilities": deploy.matched, "database": input.vulnerabilities.database.state}, items, {
	"fail": sprintf("%s open for longer than %s allows", [lib.counted(count(overdue), "vulnerability is", "vulnerabilities are"), environment.name]),
	"pass": sprintf("%s open, none for longer than %s allows%s", [lib.counted(count(deploy.open), "vulnerability is", "vulnerabilities are"), environment.name, deploy.excuses]),
	"observed": {"overdue": count(overdue)},
	"expected": environment.vulnerability_sla,
})

items := all.items(overdue, sprintf("is open for longer than %s allows", [environment.name])) if told
