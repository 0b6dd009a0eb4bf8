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

told(r) := item.message if {
	result := fixable.check with input as matched([object.union(finding, {"reach": r})])
	[item] := result.items
}

test_what_is_imported_is_told_and_excuses_nothing if {
	reach := {"imported": "yes", "package": "left/pad", "path": "main.go", "line": 7, "why": ""}
	told(reach) == "V-1 in left 1.0.0 has a fix; left/pad is imported by main.go:7"
	told(object.union(reach, {"line": 0})) == "V-1 in left 1.0.0 has a fix; left/pad is imported, as main.go shows"
	told(object.union(reach, {"imported": "no"})) == "V-1 in left 1.0.0 has a fix; no affected package is imported"
	told(object.union(reach, {"imported": "unknown", "why": "so"})) == "V-1 in left 1.0.0 has a fix; whether it is imported is not told: so"
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
