# METADATA
# title: The plan stays where the environment ends
# description: >-
#   The blast radius of a plan is what it reaches. An empty list in the map limits nothing.
# custom:
#   id: deploy.plan.reach
#   effect: deny
#   severity: critical
#   evidence: [iac-plan]
#   remediation: >-
#     Plan against the accounts, regions and providers of this environment, or widen reach: of
#     it in the map.
#   owner: platform
package verdict.rules.deploy.plan.reach

import data.verdict.rules.deploy
import data.verdict.rules.deploy.plan as shared
import input.environment
import input.plan

# outside: what is named and not on a list that limits it.
outside(what, named, allowed) := [deploy.item(sprintf("%s:%s", [what, x]), sprintf("the plan reaches the %s %s, which does not belong to %s", [what, x, environment.name]), "plan against this environment alone") |
	count(allowed) > 0
	some x in named
	not x in allowed
]

kinds := {r.type | some r in shared.read}

foreign := [deploy.item(sprintf("kind:%s", [k]), sprintf("the plan has resources of the kind %s, which %s does not have", [k, environment.name]), "add the kind to reach: of the environment in the map, or take it out") |
	count(environment.kinds) > 0
	some k in kinds
	count([1 | some allowed in environment.kinds; deploy.matches(allowed, k)]) == 0
] if {
	count(environment.kinds) >= 0
	count(shared.read) >= 0
}

items := array.concat(
	array.concat(outside("provider", plan.providers, environment.providers), outside("account", plan.accounts, environment.accounts)),
	array.concat(outside("region", plan.regions, environment.regions), foreign),
)

check := deploy.answer(shared.states, items, {
	"fail": sprintf("the plan reaches beyond %s", [environment.name]),
	"pass": sprintf("the plan stays within %s", [environment.name]),
	"observed": {"providers": plan.providers, "accounts": plan.accounts, "regions": plan.regions},
	"expected": {"providers": environment.providers, "accounts": environment.accounts, "regions": environment.regions, "kinds": environment.kinds},
})
