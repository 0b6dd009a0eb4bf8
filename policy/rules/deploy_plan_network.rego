# METADATA
# title: A change of how production is reached is approved
# custom:
#   id: deploy.plan.network
#   effect: review
#   severity: high
#   evidence: [iac-plan]
#   remediation: >-
#     Have a person look at the change: verdict approve ID.
#   owner: security
package verdict.rules.deploy.plan.network

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared

items := shared.changed("network", shared.every_action, "have a person look at it")

check := deploy.answer(shared.states, items, shared.said("networks", items))
