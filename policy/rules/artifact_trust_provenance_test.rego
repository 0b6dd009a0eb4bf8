package verdict.rules.artifact.trust.provenance_test

import data.verdict.rules.artifact.trust.provenance

known := {
	"state": "verified", "builder": "https://ci.example/b", "build_type": "t", "known": "release", "source": "https://git.example/shop", "own": true,
	"ref": "refs/heads/main", "commit": "gitCommit:8f14e45fceea167a5a36dedd4bea2543d1c9e0aa", "slsa": 2, "unknown_parameters": [], "why": "", "evidence": "p",
}

built(members) := {"artifact": {"provenance": object.union(known, members)}}

test_an_unknown_builder_says_what_to_add if {
	result := provenance.check with input as built({"known": "", "why": "no entry of builders has the id"})
	result.status == "fail"
	contains(result.items[0].fix, "builders:")
}

test_a_member_that_is_not_there_leaves_the_rule_silent if {
	some member in ["known", "own", "commit", "unknown_parameters", "source", "evidence"]
	not provenance.check with input as {"artifact": {"provenance": object.remove(known, [member])}}
}

test_provenance_that_is_only_present_is_judged_all_the_same if {
	result := provenance.check with input as built({"state": "present", "own": false})
	result.status == "fail"
}
