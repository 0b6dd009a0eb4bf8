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

malicious := [f | some f in all.findings; f.malicious == true]

harmless := [f | some f in all.findings; f.malicious == false]

observed := {"malicious": count(malicious), "components": all.matched.components}

expected := {"malicious": 0}

check := {
	"status": "fail",
	"message": lib.counted(count(malicious), "package is malicious", "packages are malicious"),
	"observed": observed,
	"expected": expected,
	"items": [i | some f in malicious; i := all.item(f, "is malicious")],
} if {
	count(malicious) > 0
}

check := {
	"status": "pass",
	"message": sprintf("no malicious package among %d components", [all.matched.components]),
	"observed": observed,
	"expected": expected,
} if {
	all.known
	count(all.findings) == count(harmless)
}

check := all.not_judged if {
	not all.known
	count(all.findings) == count(harmless)
}
