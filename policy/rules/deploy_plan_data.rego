# METADATA
# title: A change of where production keeps its data is approved
# custom:
#   id: deploy.plan.data
#   effect: review
#   severity: high
#   evidence: [iac-plan]
#   remediation: >-
#     Have a person look at the change: verdict approve ID.
#   owner: platform
package verdict.rules.deploy.plan.data

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared

items := shared.changed("data", {"update", "replace", "delete", "forget"}, "have a person look at it")

check := deploy.answer(shared.states, items, shared.said("data stores", items))
