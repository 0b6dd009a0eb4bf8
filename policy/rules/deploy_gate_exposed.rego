# METADATA
# title: Nothing of the service is exposed that should not be
# description: >-
#   Where nobody observes, nothing is known, and the rule says so.
# custom:
#   id: deploy.gate.exposed
#   effect: review
#   severity: high
#   evidence: [finding]
#   remediation: >-
#     Close what is open, and have the finding closed; a release cannot repair it unseen.
#   owner: security
package verdict.rules.deploy.gate.exposed

import data.verdict.rules.deploy
import input.environment
import input.runtime

check := deploy.answer({"environment": environment.state, "runtime": runtime.state}, items, {
	"fail": sprintf("%d findings of exposure are open against the service in %s", [runtime.open_exposure, environment.name]),
	"pass": sprintf("no finding of exposure is open against the service in %s", [environment.name]),
	"observed": {"open": runtime.open_exposure},
	"expected": {"open": 0},
})

items := [deploy.item("runtime:open_exposure", sprintf("%d open findings of exposure", [runtime.open_exposure]), "see them: verdict trail REF")] if runtime.open_exposure > 0

items := [] if runtime.open_exposure == 0
