package verdict.rules.code.ownership.protected_test

import data.verdict.rules.code.ownership.protected

touched(list) := {"ownership": {"state": "verified", "protected": list, "evidence": "e"}}

path := {"path": "CODEOWNERS", "own": false, "owners": ["all"], "persons": []}

test_an_owner_of_everything_is_no_owner_of_its_own if {
	result := protected.check with input as touched([path])
	result.status == "fail"
	contains(result.items[0].message, "only among everything else")
}

test_an_owner_of_its_own_passes if {
	result := protected.check with input as touched([object.union(path, {"own": true})])
	result.status == "pass"
}

test_a_path_that_lacks_a_member_leaves_the_rule_silent if {
	not protected.check with input as touched([path, object.remove(path, ["own"])])
}
