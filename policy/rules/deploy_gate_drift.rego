# METADATA
# title: What runs is what was declared
# description: >-
#   Where nobody observes, nothing is known, and the rule says so.
# custom:
#   id: deploy.gate.drift
#   effect: review
#   severity: medium
#   evidence: [finding]
#   remediation: Accept the drift as intent or take it back, so that what is tested is what runs.
#   owner: platform
package verdict.rules.deploy.gate.drift

import data.verdict.lib
import data.verdict.rules.deploy
import input.environment
import input.runtime

check := deploy.answer({"environment": environment.state, "runtime": runtime.state}, items, {
	"fail": sprintf("%s open against the service in %s", [lib.counted(runtime.open_drift, "finding of drift is", "findings of drift are"), environment.name]),
	"pass": sprintf("no finding of drift is open against the service in %s", [environment.name]),
	"observed": {"open": runtime.open_drift},
	"expected": {"open": 0},
})

items := [deploy.item("runtime:open_drift", lib.counted(runtime.open_drift, "open finding of drift", "open findings of drift"), sprintf("see them: verdict trail %s", [deploy.ref]))] if runtime.open_drift > 0

items := [] if runtime.open_drift == 0
