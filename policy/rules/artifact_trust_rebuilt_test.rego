package verdict.rules.artifact.trust.rebuilt_test

import data.verdict.rules.artifact.trust.rebuilt

other := {"digest": "sha256:aa", "at": "2026-01-01T10:00:00Z", "evidence": "e"}

test_another_digest_is_told if {
	result := rebuilt.check with input as {"artifact": {"state": "verified", "rebuilds": [other]}}
	result.status == "fail"
	result.items[0].key == "sha256:aa"
}

test_a_digest_that_lacks_a_member_leaves_the_rule_silent if {
	not rebuilt.check with input as {"artifact": {"state": "verified", "rebuilds": [object.remove(other, ["at"])]}}
}
