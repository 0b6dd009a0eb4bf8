package verdict.rules.deploy.gate.stakes_test

import data.verdict.rules.deploy.gate.stakes as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod", "exposure": "internal", "data": "internal", "blast_radius": "service", "rollback": "none"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_data_of_no_class_fails if {
	result := rule.check with input as object.union(known, {"environment": {"data": ""}})
	result.status == "fail"
	result.items[0].key == "stakes:data"
}

test_without_data_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["data"])})
}
