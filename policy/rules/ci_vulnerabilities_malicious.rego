# METADATA
# title: No malicious package
# description: A malicious package acts when it is installed or imported; no version of risk is acceptable.
# custom:
#   id: ci.vulnerabilities.malicious
#   effect: deny
#   severity: critical
#   evidence: [vulnerabilities]
#   remediation: >-
#     Remove the package, treat every machine that installed it as compromised, and
#     replace the secrets that it could read.
#   link: https://github.com/ossf/malicious-packages
#   owner: security
package verdict.rules.ci.vulnerabilities.malicious

import data.verdict.lib
import data.verdict.rules.ci.vulnerabilities as all
import input.vulnerabilities as matched

# One mark for each finding: where one lacks it, no branch holds and the rule is silent.
marks := [f.malicious | some f in matched.findings]

malicious := [f | some f in matched.findings; f.malicious == true]

check := {
	"status": "fail",
	"message": lib.counted(count(malicious), "package is malicious", "packages are malicious"),
	"observed": {"malicious": count(malicious), "components": matched.components},
	"expected": {"malicious": 0},
	"items": all.items(malicious, "is malicious"),
} if {
	true in marks
	count(marks) == count(matched.findings)
} else := {
	"status": "pass",
	"message": sprintf("no malicious package among %s", [lib.counted(matched.components, "component", "components")]),
	"observed": {"malicious": 0, "components": matched.components},
	"expected": {"malicious": 0},
} if {
	not true in marks
	count(marks) == count(matched.findings)
	all.known
} else := all.not_judged if {
	not true in marks
	count(marks) == count(matched.findings)
	not all.known
}
