# METADATA
# title: A change of who may do what in production is approved
# custom:
#   id: deploy.plan.identity
#   effect: review
#   severity: high
#   evidence: [iac-plan]
#   remediation: >-
#     Have a person look at the change: verdict approve ID.
#   owner: security
package verdict.rules.deploy.plan.identity

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared

items := shared.changed("identity", shared.every_action, "have a person look at it")

check := deploy.answer(shared.states, items, shared.said("identities and rights", items))
