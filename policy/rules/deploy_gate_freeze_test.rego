package verdict.rules.deploy.gate.freeze_test

import data.verdict.rules.deploy.gate.freeze as rule

known := {"environment": {"state": "verified", "name": "production", "freezes": []}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_freeze_fails if {
	result := rule.check with input as object.union(known, {"environment": {"freezes": [{"from": "a", "to": "b", "reason": "audit", "holds": true}]}})
	result.status == "fail"
	result.items[0].key == "freeze:audit"
}

test_without_freezes_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["freezes"])})
}
