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

fixable := [f | some f in all.findings; f.fixed != ""]

unfixable := [f | some f in all.findings; f.fixed == ""]

observed := {"fixable": count(fixable), "without_fix": {f.id | some f in unfixable}, "components": all.matched.components}

expected := {"fixable": 0}

check := {
	"status": "fail",
	"message": lib.counted(count(fixable), "known vulnerability has a fix", "known vulnerabilities have a fix"),
	"observed": observed,
	"expected": expected,
	"items": [i | some f in fixable; i := all.item(f, sprintf("is fixed in %s", [f.fixed]))],
} if {
	count(fixable) > 0
}

check := {
	"status": "pass",
	"message": sprintf("no known vulnerability with a fix in %d components%s", [all.matched.components, told]),
	"observed": observed,
	"expected": expected,
} if {
	all.known
	count(all.findings) == count(unfixable)
}

check := all.not_judged if {
	not all.known
	count(all.findings) == count(unfixable)
}

told := "" if count(unfixable) == 0

told := sprintf("; %s on to the gate", [lib.counted(count(unfixable), "without a fix goes", "without a fix go")]) if count(unfixable) > 0
