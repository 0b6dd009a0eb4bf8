package verdict.rules.ci.vulnerabilities.stated_test

import data.verdict.rules.ci.vulnerabilities.exploited
import data.verdict.rules.ci.vulnerabilities.fixable
import data.verdict.rules.ci.vulnerabilities.malicious
import data.verdict.rules.ci.vulnerabilities.stated

finding := {
	"key": "V-1@left@1.0.0", "id": "V-1", "name": "left", "version": "1.0.0", "fixed": "1.0.1", "fix": "npm install left@1.0.1", "exploited": false,
	"malicious": false, "source_path": "package-lock.json", "line": 4, "old": false, "evidence": "",
}

says := {
	"key": "V-1@left@1.0.0", "counts": true, "status": "not_affected", "justification": "vulnerable_code_not_in_execute_path", "impact": "",
	"by": "ps", "at": "2026-01-01T12:00:00Z", "index": 12, "evidence": "", "why": "",
}

matched(findings, vex) := {"vulnerabilities": {
	"state": "verified", "complete": true, "components": 2, "database": {"state": "verified"}, "findings": findings, "vex": vex,
}}

test_who_said_it_and_why_is_told if {
	result := stated.check with input as matched([finding], [says])
	[item] := result.items
	item.message == "V-1 in left 1.0.0 is stated to be not_affected (vulnerable_code_not_in_execute_path); stated by ps on 2026-01-01, entry 12"
}

test_what_is_affected_holds_nothing_back if {
	every status in ["affected", "under_investigation", "", "unaffected"] {
		vex := [object.union(says, {"status": status})]
		fixable.check.status == "fail" with input as matched([finding], vex)
		stated.check.status == "pass" with input as matched([finding], vex)
	}
}

test_a_statement_that_does_not_count_holds_nothing_back if {
	vex := [object.union(says, {"counts": false, "why": "nobody knows its signer"})]
	fixable.check.status == "fail" with input as matched([finding], vex)
	result := stated.check with input as matched([finding], vex)
	[item] := result.items
	contains(item.message, "counts for nothing, because nobody knows its signer")
}

test_a_finding_without_a_mark_is_not_excused if {
	every mark in ["malicious", "exploited"] {
		fixable.check.status == "fail" with input as matched([object.remove(finding, [mark])], [says])
	}
}

test_what_is_not_known_is_not_judged if {
	result := stated.check with input as object.union(matched([], []), {"vulnerabilities": {"complete": false}})
	result.status == "skip"
}

test_both_reasons_are_told if {
	told := {"justification and impact": "vulnerable_code_not_in_execute_path: never called", "impact": "never called"}
	both := stated.check with input as matched([finding], [object.union(says, {"impact": "never called"})])
	contains(both.items[0].message, told["justification and impact"])
	one := stated.check with input as matched([finding], [object.union(says, {"impact": "never called", "justification": ""})])
	contains(one.items[0].message, "(never called)")
}

test_why_a_statement_does_not_suffice_is_told if {
	bad := stated.check with input as matched([object.union(finding, {"malicious": true})], [says])
	contains(bad.items[0].message, "is malicious, which the statement not_affected")
	bad.observed == {"stated": 0, "without_effect": 1}
	known := stated.check with input as matched([object.union(finding, {"exploited": true})], [says])
	contains(known.items[0].message, "does not suffice")
}

test_nothing_excuses_a_malicious_package if {
	worst := object.union(finding, {"malicious": true})
	every status in ["not_affected", "fixed"] {
		vex := [object.union(says, {"status": status})]
		malicious.check.status == "fail" with input as matched([worst], vex)
		fixable.check.status == "fail" with input as matched([worst], vex)
	}
}

test_only_what_is_not_there_excuses_what_is_exploited if {
	known := object.union(finding, {"exploited": true})
	exploited.check.status == "fail" with input as matched([known], [says])
	exploited.check.status == "fail" with input as matched([known], [object.union(says, {"justification": "", "impact": "we think so"})])
	exploited.check.status == "pass" with input as matched([known], [object.union(says, {"justification": "vulnerable_code_not_present"})])
	exploited.check.status == "pass" with input as matched([known], [object.union(says, {"status": "fixed"})])
}
