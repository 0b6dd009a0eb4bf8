# METADATA
# title: Where the plan reaches can be told
# custom:
#   id: deploy.plan.unplaced
#   effect: review
#   severity: medium
#   evidence: [iac-plan]
#   remediation: >-
#     Name the account and the region in the provider (subscription_id, allowed_account_ids,
#     project; region), so that the plan says where it goes.
#   owner: platform
package verdict.rules.deploy.plan.unplaced

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared
import input.environment
import input.plan

homeless := [deploy.item(sprintf("account:%s", [r.address]), sprintf("the plan does not say in which account %s is", [r.address]), "name the account in its provider") |
	count(environment.accounts) > 0
	some r in shared.read
	r.account == ""
] if {
	count(environment.accounts) >= 0
	count(shared.read) >= 0
}

check := deploy.answer(shared.states, homeless, {
	"fail": "the plan does not say which account it changes, and the environment asks",
	"pass": "the plan says where it goes, or the environment does not ask",
	"observed": {"unknown": count(homeless), "resources": count(plan.resources)},
	"expected": {"unknown": 0},
})
