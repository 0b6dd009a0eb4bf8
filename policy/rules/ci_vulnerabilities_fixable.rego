# METADATA
# title: No known vulnerability that has a fix
# description: >-
#   What has a fix is provably avoidable here and now. What has none goes on as a fact,
#   which the deployment gate judges for the environment.
# custom:
#   id: ci.vulnerabilities.fixable
#   effect: deny
#   severity: high
#   evidence: [vulnerabilities]
#   remediation: Upgrade each component to the fixed version that its item names, and update the lockfile.
#   owner: security
package verdict.rules.ci.vulnerabilities.fixable

import data.verdict.lib
import data.verdict.rules.ci.vulnerabilities as all
import input.vulnerabilities as matched

fixable := [f | some f in all.open; f.fixed != ""]

without_fix := [f.id | some f in all.open; f.fixed == ""]

check := {
	"status": "fail",
	"message": lib.counted(count(fixable), "known vulnerability has a fix", "known vulnerabilities have a fix"),
	"observed": {"fixable": count(fixable), "components": matched.components},
	"expected": {"fixable": 0},
	"items": all.items(fixable, "has a fix"),
} if {
	count(fixable) > 0
	count(fixable) + count(without_fix) == count(all.open)
} else := {
	"status": "pass",
	"message": sprintf("no known vulnerability with a fix in %s%s%s", [lib.counted(matched.components, "component", "components"), told, all.excuses]),
	"observed": {"fixable": 0, "without_fix": {id | some id in without_fix}, "components": matched.components},
	"expected": {"fixable": 0},
} if {
	count(without_fix) == count(all.open)
	all.known
} else := all.not_judged if {
	count(without_fix) == count(all.open)
	not all.known
}

told := "" if count(without_fix) == 0

told := sprintf("; %s on to the gate", [lib.counted(count(without_fix), "without a fix goes", "without a fix go")]) if count(without_fix) > 0
