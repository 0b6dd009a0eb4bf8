# METADATA
# title: The plan says all that it will do
# custom:
#   id: deploy.plan.whole
#   effect: review
#   severity: medium
#   evidence: [iac-plan]
#   remediation: Apply what it says, then plan again and have that judged too.
#   owner: platform
package verdict.rules.deploy.plan.whole

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared
import input.plan

check := deploy.answer(shared.states, items, {
	"fail": "the plan says of itself that more is to be planned after it was applied",
	"pass": "the plan says all that it will do",
	"observed": {"partial": plan.partial},
	"expected": {"partial": false},
})

items := [deploy.item("partial", "more is to be planned after it was applied", "plan again after the apply, and have that judged")] if plan.partial == true

items := [] if plan.partial == false
