# METADATA
# title: The environment may change now
# custom:
#   id: deploy.plan.window
#   effect: deny
#   severity: medium
#   evidence: [environment]
#   remediation: >-
#     Apply within the hours of the environment and outside of its freezes; in an emergency
#     see verdict break-glass open --help.
#   owner: platform
package verdict.rules.deploy.plan.window

import data.verdict.rules.deploy
import input.environment

check := deploy.answer({"environment": environment.state}, items, {
	"fail": sprintf("%s may not change now", [environment.name]),
	"pass": sprintf("%s may change now", [environment.name]),
	"observed": {"open": environment.open, "freezes": count(deploy.frozen)},
	"expected": {"open": true, "freezes": 0},
})

items := array.concat(deploy.closed, deploy.frozen)
