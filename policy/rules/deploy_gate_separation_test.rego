package verdict.rules.deploy.gate.separation_test

import data.verdict.rules.deploy.gate.separation as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod"}, "change": {"state": "verified", "iac_touched": false, "files": ["a.go"], "evidence": "c", "contributors": [{"id": "ana", "known": true}, {"id": "ben", "known": true}]}, "requester": {"state": "verified", "person": "ana", "kind": "person"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_lonely_author_asks if {
	result := rule.check with input as object.union(known, {"change": {"contributors": [{"id": "ana", "known": true}]}})
	result.status == "fail"
	result.items[0].key == "separation"
}

test_without_contributors_of_change_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["change"]), {"change": object.remove(known.change, ["contributors"])})
}
