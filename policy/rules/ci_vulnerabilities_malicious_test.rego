package verdict.rules.ci.vulnerabilities.malicious_test

import data.verdict.rules.ci.vulnerabilities.malicious

harmless := {
	"key": "V-1@left@1.0.0", "id": "V-1", "name": "left", "version": "1.0.0", "fixed": "", "fix": "", "exploited": false,
	"malicious": false, "source_path": "package-lock.json", "line": 4, "old": false, "evidence": "",
}

finding := object.union(harmless, {"malicious": true})

matched(findings) := {"vulnerabilities": {
	"state": "verified", "complete": true, "components": 2, "database": {"state": "verified"}, "findings": findings,
}}

test_a_finding_says_what_to_do if {
	result := malicious.check with input as matched([finding, harmless])
	result.status == "fail"
	[item] := result.items
	item.fix == "remove or replace left: no fixed version is known"
	item.line == 4
}

test_what_is_not_malicious_passes if {
	result := malicious.check with input as matched([harmless])
	result.status == "pass"
}

test_a_finding_that_lacks_a_member_leaves_the_rule_silent if {
	not malicious.check with input as matched([finding, object.remove(harmless, ["malicious"])])
}

test_an_unknown_database_is_not_judged if {
	result := malicious.check with input as object.union(matched([harmless]), {"vulnerabilities": {"database": {"state": "unknown"}}})
	result.status == "skip"
}
