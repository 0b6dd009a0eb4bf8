# METADATA
# title: What is known of vulnerabilities is fresh and whole
# custom:
#   id: deploy.gate.fresh
#   effect: deny
#   severity: high
#   evidence: [vulnerabilities]
#   remediation: >-
#     Have the bill of materials matched against current data: verdict advisories update.
#   owner: appsec
package verdict.rules.deploy.gate.fresh

import data.verdict.lib
import data.verdict.rules.deploy
import input.vulnerabilities

check := deploy.answer({"vulnerabilities": deploy.matched, "database": input.vulnerabilities.database.state}, items, {
	"fail": "what is known of vulnerabilities is too old, or not whole",
	"pass": lib.counted(vulnerabilities.components, "component was matched against current data", "components were matched against current data"),
	"observed": {"state": vulnerabilities.state, "complete": vulnerabilities.complete},
	"expected": {"state": "verified", "complete": true},
})

items := [deploy.item("vulnerabilities", "the data that its components were matched against is too old", "verdict advisories update")] if vulnerabilities.state == "stale"

items := [deploy.item("vulnerabilities", "a part of its components was not matched", "have advisories for all of its components: verdict advisories update; one without a package URL needs another bill of materials")] if {
	vulnerabilities.state != "stale"
	vulnerabilities.complete == false
	vulnerabilities.state in {"verified", "present", "failed"}
}

items := [] if {
	vulnerabilities.state != "stale"
	vulnerabilities.complete == true
}

items := [] if {
	vulnerabilities.complete == false
	vulnerabilities.state in {"missing", "unknown"}
}
