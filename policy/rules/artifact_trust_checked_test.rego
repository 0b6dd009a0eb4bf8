package verdict.rules.artifact.trust.checked_test

import data.verdict.rules.artifact.trust.checked

decided := {"need": "x-check", "point": "x.y", "state": "verified", "outcome": "deny", "decision": "d-1", "evidence": "e"}

test_a_decision_against_the_commit_fails if {
	result := checked.check with input as {"artifact": {"state": "verified", "checked": [decided]}}
	result.status == "fail"
	result.items[0].message == "x.y decided deny: d-1"
}

test_a_decision_that_lacks_a_member_leaves_the_rule_silent if {
	not checked.check with input as {"artifact": {"state": "verified", "checked": [object.remove(decided, ["outcome"])]}}
}

test_nothing_is_judged_of_an_artifact_that_nobody_knows if {
	result := checked.check with input as {"artifact": {"state": "unknown", "checked": [decided]}}
	result.status == "skip"
}
