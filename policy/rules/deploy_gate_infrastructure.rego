# METADATA
# title: A change of infrastructure goes with a plan
# custom:
#   id: deploy.gate.infrastructure
#   effect: review
#   severity: medium
#   evidence: [change]
#   remediation: >-
#     Have the plan of this change judged and applied first (verdict gate --env E --plan
#     FILE), and a person say that it is done.
#   owner: platform
package verdict.rules.deploy.gate.infrastructure

import data.verdict.rules.deploy
import input.change
import input.environment
import input.rollback

check := deploy.answer({"environment": environment.state, "change": change.state, "rollback": rollback.state}, items, {
	"fail": "the change behind the artifact touches infrastructure code",
	"pass": "the change behind the artifact touches no infrastructure code, or this is not production",
	"observed": {"iac_touched": change.iac_touched, "tier": environment.tier},
	"expected": {"iac_touched": false},
})

items := [{"key": "infrastructure", "message": sprintf("of %d changed files some are infrastructure code", [count(change.files)]), "fix": "apply its plan first, then approve", "evidence": change.evidence}] if {
	environment.tier == "prod"
	change.iac_touched == true
	rollback.requested == false
}

items := [] if {
	environment.tier == "prod"
	change.iac_touched == true
	rollback.requested == true
}

items := [] if {
	environment.tier == "prod"
	change.iac_touched == false
}

items := [] if environment.tier != "prod"
