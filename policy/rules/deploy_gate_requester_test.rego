package verdict.rules.deploy.gate.requester_test

import data.verdict.rules.deploy.gate.requester as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod"}, "requester": {"state": "verified", "person": "ana", "kind": "person"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_stranger_fails if {
	result := rule.check with input as object.union(known, {"requester": {"state": "unknown"}})
	result.status == "fail"
	result.items[0].key == "requester"
}

test_without_state_of_requester_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["requester"]), {"requester": object.remove(known.requester, ["state"])})
}
