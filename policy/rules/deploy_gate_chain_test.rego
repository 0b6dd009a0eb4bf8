package verdict.rules.deploy.gate.chain_test

import data.verdict.rules.deploy.gate.chain as rule

known := {"environment": {"state": "verified", "name": "production", "chain": true, "promote_from": "staging"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_cut_chain_fails if {
	result := rule.check with input as object.union(known, {"environment": {"chain": false}})
	result.status == "fail"
	result.items[0].key == "chain:production"
}

test_without_chain_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["chain"])})
}
