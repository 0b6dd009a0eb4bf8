package verdict.rules.deploy.gate.first_test

import data.verdict.rules.deploy.gate.first as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod"}, "promotions": {"state": "verified", "first": false, "rebuilt": [], "list": [{"environment": "staging", "lapsed": false, "age_seconds": 7200}]}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_new_service_asks if {
	result := rule.check with input as object.union(known, {"promotions": {"first": true}})
	result.status == "fail"
	result.items[0].key == "first"
}

test_without_first_of_promotions_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["promotions"]), {"promotions": object.remove(known.promotions, ["first"])})
}
