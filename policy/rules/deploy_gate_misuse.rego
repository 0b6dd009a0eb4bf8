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

import data.verdict.lib
import data.verdict.rules.deploy
import input.environment
import input.runtime

check := deploy.answer({"environment": environment.state, "runtime": runtime.state}, items, {
	"fail": sprintf("%s open against the service in %s", [lib.counted(runtime.open_misuse, "finding of misuse is", "findings of misuse are"), environment.name]),
	"pass": sprintf("no finding of misuse is open against the service in %s", [environment.name]),
	"observed": {"open": runtime.open_misuse},
	"expected": {"open": 0},
})

items := [deploy.item("runtime:open_misuse", lib.counted(runtime.open_misuse, "open finding of misuse", "open findings of misuse"), sprintf("see them: verdict trail %s", [deploy.ref]))] if runtime.open_misuse > 0

items := [] if runtime.open_misuse == 0
