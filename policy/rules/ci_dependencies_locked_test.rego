package verdict.rules.ci.dependencies.locked_test

import data.verdict.rules.ci.dependencies.locked

hit := {"key": "k", "detector": "lockfile-missing", "message": "m", "path": "p", "line": 3, "fix": "f", "old": false, "evidence": ""}

found(failed) := {"checks": {"dependencies": {"state": "verified", "complete": true, "inputs": 2, "ignored": 0, "failed": failed}}}

test_a_hit_names_its_place if {
	result := locked.check with input as found([hit])
	result.status == "fail"
	[item] := result.items
	item.line == 3
}

test_a_hit_of_another_rule_passes_here if {
	result := locked.check with input as found([object.union(hit, {"detector": "of-another-tool"})])
	result.status == "pass"
}

test_a_hit_without_a_detector_leaves_the_rule_silent if {
	not locked.check with input as found([hit, object.remove(hit, ["detector"])])
}

test_an_incomplete_check_is_not_judged if {
	result := locked.check with input as object.union(found([]), {"checks": {"dependencies": {"complete": false}}})
	result.status == "skip"
}
