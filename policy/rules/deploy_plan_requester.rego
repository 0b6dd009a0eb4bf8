# METADATA
# title: Who asks for a change of production is known
# custom:
#   id: deploy.plan.requester
#   effect: deny
#   severity: high
#   evidence: [request]
#   remediation: >-
#     Add the account to its person under people: in the map, or name who asks with
#     --requester. A pipeline is known by its entry in trust:.
#   owner: security
package verdict.rules.deploy.plan.requester

import data.verdict.rules.deploy
import input.requester

check := deploy.answer(deploy.asked, deploy.stranger, {
	"fail": "nobody whom the map knows asks for this",
	"pass": sprintf("%q asks for it", [requester.person]),
	"observed": {"requester": requester.state},
	"expected": {"requester": "verified"},
})
