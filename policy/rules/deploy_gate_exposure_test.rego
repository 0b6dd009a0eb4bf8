package verdict.rules.deploy.gate.exposure_test

import data.verdict.rules.deploy.gate.exposure as rule

known := {
	"environment": {"state": "verified", "name": "production", "exposure": "internet", "data": "public"},
	"artifact": {"source": {"state": "verified", "reviewed": false}},
	"rollback": {"state": "verified", "requested": false, "previous_digest": "sha256:p", "tested_at": "2026-01-01T00:00:00Z"},
}

test_what_no_second_person_is_needed_for_is_skipped if {
	result := rule.check with input as known
	result.status == "skip"
}

test_going_back_asks_nobody if {
	result := rule.check with input as object.union(known, {"environment": {"data": "restricted"}, "rollback": {"requested": true}})
	result.status == "skip"
}

test_restricted_data_asks_where_nobody_looked if {
	result := rule.check with input as object.union(known, {"environment": {"data": "restricted"}})
	result.status == "fail"
	result.items[0].key == "exposure:internet/restricted"
}

test_a_reviewed_change_asks_nobody if {
	result := rule.check with input as object.union(known, {"environment": {"data": "restricted"}, "artifact": {"source": {"reviewed": true}}})
	result.status == "pass"
}

test_a_review_that_nobody_verified_is_none if {
	result := rule.check with input as object.union(known, {"environment": {"data": "restricted"}, "artifact": {"source": {"state": "missing", "reviewed": true}}})
	result.status == "fail"
}

test_without_data_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["data"])})
}
