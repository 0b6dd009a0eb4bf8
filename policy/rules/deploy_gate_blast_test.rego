package verdict.rules.deploy.gate.blast_test

import data.verdict.rules.deploy.gate.blast as rule

known := {"environment": {"state": "verified", "name": "production", "blast_radius": "regional", "rollback": "required"}, "rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_an_untried_way_back_asks if {
	result := rule.check with input as object.union(known, {"rollback": {"tested_at": ""}})
	result.status == "fail"
	result.items[0].key == "rollback:tested"
}

test_without_tested_at_of_rollback_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["rollback"]), {"rollback": object.remove(known.rollback, ["tested_at"])})
}
