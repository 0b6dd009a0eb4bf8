package verdict.rules.code.ownership.paths_test

import data.verdict.rules.code.ownership.paths

owned(unowned) := {"ownership": {"state": "verified", "paths": 2, "unowned": unowned, "evidence": "e"}}

path := {"path": "a.go", "brought": "CODEOWNERS:1 @eve"}

test_an_unowned_path_is_told_with_what_the_change_brings if {
	result := paths.check with input as owned([path])
	result.status == "fail"
	[item] := result.items
	contains(item.message, "does not count: CODEOWNERS:1 @eve")
}

test_a_path_that_lacks_a_member_leaves_the_rule_silent if {
	not paths.check with input as owned([path, object.remove(path, ["brought"])])
}

test_no_input_leaves_the_rule_silent if {
	not paths.check with input as {}
}
