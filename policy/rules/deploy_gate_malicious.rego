# METADATA
# title: Nothing malicious is in the artifact
# description: >-
#   Going back does not excuse it.
# custom:
#   id: deploy.gate.malicious
#   effect: deny
#   severity: critical
#   evidence: [vulnerabilities]
#   remediation: >-
#     Take the package out, build anew, and look for what it did where it was installed.
#   owner: appsec
package verdict.rules.deploy.gate.malicious

import data.verdict.lib
import data.verdict.rules.ci.vulnerabilities as all
import data.verdict.rules.deploy

# none: no finding at all says so. Mostly it is that, and nobody has to pick them out.
none if {
	deploy.grouped
	every group in input.vulnerabilities.groups {
		group.malicious == 0
	}
}

malicious := [] if {
	none
} else := [f | some f in deploy.open; f.malicious == true]

harmless := [f.key | some f in deploy.open; f.malicious == false]

check := deploy.answer({"vulnerabilities": deploy.matched, "database": input.vulnerabilities.database.state}, items, {
	"fail": lib.counted(count(malicious), "malicious package is in the artifact", "malicious packages are in the artifact"),
	"pass": "no package in it is known to be malicious",
	"observed": {"malicious": count(malicious)},
	"expected": {"malicious": 0},
})

items := [] if {
	none
} else := all.items(malicious, "is malicious") if {
	count(malicious) + count(harmless) == count(deploy.open)
}
