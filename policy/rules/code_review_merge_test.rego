package verdict.rules.code.review.merge_test

import data.verdict.rules.code.review.merge

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

test_an_author_who_merges_alone_is_told if {
	result := merge.check with input as with_review({"merged": true, "merged_by": "ana", "merger_known": true, "approvals": []})
	result.status == "fail"
	contains(result.items[0].message, "ana merged a change of their own")
}

test_a_merge_without_a_known_merger_is_silent_when_a_member_is_gone if {
	review := object.remove(object.union(known.review, {"merged": true}), ["merger_known"])
	not merge.check with input as object.union(object.remove(known, ["review"]), {"review": review})
}
