package verdict.rules.code.review.protected_test

import data.verdict.rules.code.review.protected

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

touching(persons) := object.union(known, {"ownership": {"protected": [{"path": "CODEOWNERS", "owners": ["platform"], "persons": persons}]}})

test_an_owner_who_approved_stands_behind_it if {
	result := protected.check with input as touching(["ben"])
	result.status == "pass"
}

test_a_path_that_no_owner_saw_names_whom_to_ask if {
	result := protected.check with input as touching(["zoe"])
	result.status == "fail"
	result.items[0].fix == "have platform approve the last commit"
}

test_an_owner_whose_account_is_not_known_does_not_stand_behind_it if {
	result := protected.check with input as object.union(touching(["ana"]), {"review": {"author_known": false}})
	result.status == "fail"
}

test_what_is_not_known_is_not_judged if {
	every group in ["change", "review", "ownership"] {
		result := protected.check with input as object.union(known, {group: {"state": "missing"}})
		result.status == "skip"
	}
}

test_a_path_that_nobody_owns_says_so if {
	result := protected.check with input as object.union(known, {"ownership": {"protected": [{"path": "CODEOWNERS", "owners": [], "persons": []}]}})
	contains(result.items[0].message, "nobody owns it")
}
