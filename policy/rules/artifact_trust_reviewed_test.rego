package verdict.rules.artifact.trust.reviewed_test

import data.verdict.rules.artifact.trust.reviewed

decided := {"need": "x-check", "point": "x.y", "state": "verified", "outcome": "deny", "decision": "d-1", "evidence": "e"}

test_a_decision_against_the_commit_fails if {
	result := reviewed.check with input as {"artifact": {"state": "verified", "reviewed": [decided]}}
	result.status == "fail"
	result.items[0].message == "x.y decided deny: d-1"
}

test_a_decision_that_lacks_a_member_leaves_the_rule_silent if {
	not reviewed.check with input as {"artifact": {"state": "verified", "reviewed": [object.remove(decided, ["outcome"])]}}
}

test_nothing_is_judged_of_an_artifact_that_nobody_knows if {
	result := reviewed.check with input as {"artifact": {"state": "unknown", "reviewed": [decided]}}
	result.status == "skip"
}
