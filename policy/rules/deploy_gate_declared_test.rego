package verdict.rules.deploy.gate.declared_test

import data.verdict.rules.deploy.gate.declared as rule

known := {"environment": {"state": "verified", "name": "production", "declared": true}, "service": {"state": "verified", "name": "cart", "repo": "https://h/acme/cart"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_service_of_another_environment_fails if {
	result := rule.check with input as object.union(known, {"environment": {"declared": false}})
	result.status == "fail"
	result.items[0].key == "service"
}

test_without_declared_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["declared"])})
}
