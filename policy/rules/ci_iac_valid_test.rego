package verdict.rules.ci.iac.valid_test

import data.verdict.rules.ci.iac.valid as judged

invalid := {"key": "i", "detector": "invalid", "severity": "high", "message": "m", "path": "p", "line": 3, "fix": "f", "old": false, "evidence": ""}

forbidden := object.union(invalid, {"key": "f", "detector": "AVD-AWS-0107"})

advised := object.union(forbidden, {"key": "a", "severity": "low"})

found(failed) := {"checks": {"iac": {"state": "verified", "complete": true, "inputs": 2, "ignored": 0, "failed": failed}}}

test_a_hit_of_this_rule_fails_with_its_place if {
	result := judged.check with input as found([invalid, forbidden, advised])
	result.status == "fail"
	[item] := result.items
	item.line == 3
}

test_hits_of_the_other_rules_pass_here if {
	result := judged.check with input as found([hit | some hit in [invalid, forbidden, advised]; hit.key != "i"])
	result.status == "pass"
}

test_a_hit_without_a_severity_leaves_the_rule_silent if {
	not judged.check with input as found([object.remove(forbidden, ["severity"])])
}

test_an_incomplete_check_is_not_judged if {
	result := judged.check with input as object.union(found([]), {"checks": {"iac": {"complete": false}}})
	result.status == "skip"
}
