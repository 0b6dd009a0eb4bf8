package verdict.rules.code.review.approved_test

import data.verdict.rules.code.review.approved

known := {
	"change": {"state": "verified", "contributors": [{"id": "ana", "known": true}], "commits": 1, "unsigned": [], "evidence": "c"},
	"review": {
		"state": "verified", "request": "shop#7", "author": "ana", "author_known": true, "required": 1, "objecting": [],
		"approvals": [{"person": "ben", "known": true, "bot": false, "standing": "stands"}],
		"merged": false, "merged_by": "unknown", "merger_known": false, "merger_bot": false, "bypassed": false, "evidence": "r",
	},
	"ownership": {"state": "verified", "protected": [], "evidence": "o"},
	"service": {"state": "verified", "signed_commits": true},
}

with_review(members) := object.union(known, {"review": members})

test_somebody_else_s_approval_passes if {
	result := approved.check with input as known
	result.status == "pass"
}

test_the_one_who_asked_cannot_approve if {
	result := approved.check with input as with_review({"author": "ben"})
	result.status == "fail"
	contains(result.items[0].message, "had a hand in the change")
}

test_an_approval_that_lacks_a_member_leaves_the_rule_silent if {
	not approved.check with input as with_review({"approvals": [{"person": "ben", "known": true, "standing": "stands"}]})
}

test_a_contributor_that_lacks_a_member_leaves_the_rule_silent if {
	not approved.check with input as object.union(known, {"change": {"contributors": [{"id": "ana"}]}})
}
