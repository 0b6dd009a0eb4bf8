# METADATA
# title: What the rules of plans share
package verdict.rules.deploy.plan

import data.verdict.rules.deploy
import input.environment
import input.plan

# read: what the plan does to each resource, each with all members or the rules that ask are
# silent.
read := list if {
	list := [{
		"address": r.address, "type": r.type, "provider": r.provider, "action": r.action,
		"class": r.class, "account": r.account, "region": r.region,
	} |
		some r in plan.resources
	]
	count(list) == count(plan.resources)
}

# states: those of what every rule of a plan rests on.
states := {"environment": environment.state, "plan": plan.state}

# ending: what takes something away.
ending := {"delete", "replace", "forget"}

# changed: items for what a plan does to resources of one class in production.
changed(class, actions, fix) := [item |
	some r in read
	r.class == class
	r.action in actions
	item := deploy.item(sprintf("%s:%s", [r.action, r.address]), sprintf("%s would be changed: %s", [r.address, r.action]), fix)
] if {
	environment.tier == "prod"
	count(read) >= 0
} else := [] if {
	environment.tier != "prod"
	count(read) >= 0
}

every_action := {"create", "update", "replace", "delete", "forget"}

# said: the words of a rule about one class.
said(what, items) := {
	"fail": sprintf("the plan changes %s in %s", [what, environment.name]),
	"pass": sprintf("the plan changes no %s of production", [what]),
	"observed": {"changed": count(items)},
	"expected": {"changed": 0},
}
