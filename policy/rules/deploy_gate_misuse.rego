# METADATA
# title: No identity of the service is misused
# description: >-
#   Where nobody observes, nothing is known, and the rule says so.
# custom:
#   id: deploy.gate.misuse
#   effect: deny
#   severity: critical
#   evidence: [finding]
#   remediation: >-
#     Contain the misuse first: nothing is promoted into an environment that somebody else may
#     hold.
#   owner: security
package verdict.rules.deploy.gate.misuse

import data.verdict.rules.deploy
import input.environment
import input.runtime

check := deploy.answer({"environment": environment.state, "runtime": runtime.state}, items, {
	"fail": sprintf("%d findings of misuse are open against the service in %s", [runtime.open_misuse, environment.name]),
	"pass": sprintf("no finding of misuse is open against the service in %s", [environment.name]),
	"observed": {"open": runtime.open_misuse},
	"expected": {"open": 0},
})

items := [deploy.item("runtime:open_misuse", sprintf("%d open findings of misuse", [runtime.open_misuse]), "see them: verdict trail REF")] if runtime.open_misuse > 0

items := [] if runtime.open_misuse == 0
