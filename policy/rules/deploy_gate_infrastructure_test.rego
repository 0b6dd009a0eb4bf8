package verdict.rules.deploy.gate.infrastructure_test

import data.verdict.rules.deploy.gate.infrastructure as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod"}, "change": {"state": "verified", "iac_touched": false, "files": ["a.go"], "evidence": "c", "contributors": [{"id": "ana", "known": true}, {"id": "ben", "known": true}]}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_touched_infrastructure_asks if {
	result := rule.check with input as object.union(known, {"change": {"iac_touched": true}})
	result.status == "fail"
	result.items[0].key == "infrastructure"
}

test_without_iac_touched_of_change_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["change"]), {"change": object.remove(known.change, ["iac_touched"])})
}
