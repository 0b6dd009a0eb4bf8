package verdict.rules.ci.vulnerabilities.fixable_test

import data.verdict.rules.ci.vulnerabilities.fixable

harmless := {
	"key": "V-1@left@1.0.0", "id": "V-1", "name": "left", "version": "1.0.0", "fixed": "", "fix": "", "exploited": false,
	"malicious": false, "source_path": "package-lock.json", "line": 4, "old": false, "evidence": "",
}

finding := object.union(harmless, {"fixed": "1.0.1", "fix": "npm install left@1.0.1"})

matched(findings) := {"vulnerabilities": {
	"state": "verified", "complete": true, "components": 2, "database": {"state": "verified"}, "findings": findings,
}}

test_a_finding_says_what_to_do if {
	result := fixable.check with input as matched([finding, harmless])
	result.status == "fail"
	[item] := result.items
	item.fix == "npm install left@1.0.1"
	item.line == 4
}

test_what_is_not_fixable_passes if {
	result := fixable.check with input as matched([harmless])
	result.status == "pass"
}

test_a_finding_that_lacks_a_member_leaves_the_rule_silent if {
	not fixable.check with input as matched([finding, object.remove(harmless, ["fixed"])])
}

test_an_unknown_database_is_not_judged if {
	result := fixable.check with input as object.union(matched([harmless]), {"vulnerabilities": {"database": {"state": "unknown"}}})
	result.status == "skip"
}
