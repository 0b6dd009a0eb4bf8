package verdict.rules.deploy.gate.exposure_test

import data.verdict.rules.deploy.gate.exposure as rule

known := {"environment": {"state": "verified", "name": "production", "exposure": "internet", "data": "public"}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_restricted_data_asks if {
	result := rule.check with input as object.union(known, {"environment": {"data": "restricted"}})
	result.status == "fail"
	result.items[0].key == "exposure:internet/restricted"
}

test_without_data_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["data"])})
}
