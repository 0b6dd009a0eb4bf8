package verdict.rules.deploy.gate.rollback_test

import data.verdict.rules.deploy.gate.rollback as rule

known := {"environment": {"state": "verified", "name": "production", "rollback": "required"}, "promotions": {"state": "verified", "first": false, "rebuilt": [], "list": [{"environment": "staging", "lapsed": false, "age_seconds": 7200}]}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_no_way_back_asks if {
	result := rule.check with input as object.union(known, {"rollback": {"previous_digest": ""}})
	result.status == "fail"
	result.items[0].key == "rollback:target"
}

test_what_is_here_already_is_not_held_against_itself if {
	again := {"promotions": {"list": [{"environment": "production", "lapsed": false, "age_seconds": 60}]}, "rollback": {"previous_digest": ""}}
	result := rule.check with input as object.union(known, again)
	result.status == "pass"
}

test_without_previous_digest_of_rollback_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["rollback"]), {"rollback": object.remove(known.rollback, ["previous_digest"])})
}
