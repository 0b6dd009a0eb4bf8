package verdict.rules.deploy.gate.rebuilt_test

import data.verdict.rules.deploy.gate.rebuilt as rule

known := {"environment": {"state": "verified", "name": "production"}, "promotions": {"state": "verified", "first": false, "rebuilt": [], "list": [{"environment": "staging", "lapsed": false, "age_seconds": 7200}]}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_another_build_fails if {
	result := rule.check with input as object.union(known, {"promotions": {"rebuilt": [{"digest": "sha256:b", "environment": "staging"}]}})
	result.status == "fail"
	result.items[0].key == "rebuilt:sha256:b"
}

test_without_rebuilt_of_promotions_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["promotions"]), {"promotions": object.remove(known.promotions, ["rebuilt"])})
}
