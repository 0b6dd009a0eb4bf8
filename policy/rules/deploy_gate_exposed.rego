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

import data.verdict.lib
import data.verdict.rules.deploy
import input.environment
import input.runtime

check := deploy.answer({"environment": environment.state, "runtime": runtime.state}, items, {
	"fail": sprintf("%s open against the service in %s", [lib.counted(runtime.open_exposure, "finding of exposure is", "findings of exposure are"), environment.name]),
	"pass": sprintf("no finding of exposure is open against the service in %s", [environment.name]),
	"observed": {"open": runtime.open_exposure},
	"expected": {"open": 0},
})

items := [deploy.item("runtime:open_exposure", lib.counted(runtime.open_exposure, "open finding of exposure", "open findings of exposure"), sprintf("see them: verdict trail %s", [deploy.ref]))] if runtime.open_exposure > 0

items := [] if runtime.open_exposure == 0
