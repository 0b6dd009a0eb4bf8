package verdict.rules.deploy.gate.soak_test

import data.verdict.rules.deploy.gate.soak as rule

known := {"environment": {"state": "verified", "name": "production", "promote_from": "staging", "soak_seconds": 3600}, "promotions": {"state": "verified", "first": false, "rebuilt": [], "list": [{"environment": "staging", "lapsed": false, "age_seconds": 7200}]}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_promotion_of_this_minute_fails if {
	result := rule.check with input as object.union(known, {"promotions": {"list": [{"environment": "staging", "lapsed": false, "age_seconds": 60}]}})
	result.status == "fail"
	result.items[0].key == "soak:staging"
}

test_without_soak_seconds_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["soak_seconds"])})
}

test_what_never_came_there_is_told_to_go_there if {
	result := rule.check with input as object.union(known, {"promotions": {"list": []}})
	contains(result.items[0].message, "no promotion to staging counts")
	contains(result.items[0].fix, "verdict gate --env staging")
}
