package verdict.rules.code.review.signed_test

import data.verdict.rules.code.review.signed

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

unsigned(list) := object.union(known, {"change": {"unsigned": list}})

commit := {"id": "gitCommit:8f14e45fceea167a5a36dedd4bea2543d1c9e0aa", "why": "the commit is not signed", "remedy": "sign it"}

test_an_unsigned_commit_says_what_to_do if {
	result := signed.check with input as unsigned([commit])
	result.status == "fail"
	result.items[0].message == "8f14e45fceea: the commit is not signed"
	result.items[0].fix == "sign it"
}

test_a_commit_that_lacks_a_member_leaves_the_rule_silent if {
	not signed.check with input as unsigned([commit, object.remove(commit, ["why"])])
}

test_a_service_that_the_map_does_not_know_is_not_judged if {
	result := signed.check with input as object.union(unsigned([commit]), {"service": {"state": "missing"}})
	result.status == "skip"
}

test_a_change_that_is_not_known_is_not_judged if {
	result := signed.check with input as object.union(known, {"change": {"state": "missing"}})
	result.status == "skip"
}
