# METADATA
# title: The plan belongs to a service of the environment
# custom:
#   id: deploy.plan.declared
#   effect: deny
#   severity: high
#   evidence: [environment]
#   remediation: >-
#     Add the environment to the service's environments in the map, or name the right service
#     with --service.
#   owner: platform
package verdict.rules.deploy.plan.declared

import data.verdict.rules.deploy
import input.environment
import input.service

check := deploy.answer({"environment": environment.state, "service": service.state}, deploy.undeclared, {
	"fail": sprintf("%s is not declared to run in %s", [service.name, environment.name]),
	"pass": sprintf("%s is declared to run in %s", [service.name, environment.name]),
	"observed": {"declared": environment.declared},
	"expected": {"declared": true},
})
