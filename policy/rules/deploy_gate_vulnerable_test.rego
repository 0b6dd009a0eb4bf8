package verdict.rules.deploy.gate.vulnerable_test

import data.verdict.rules.deploy.gate.vulnerable as rule

finding := {
	"key": "k", "id": "CVE-1", "artifact": "registry/worker", "severity": "high", "exploited": false, "malicious": false,
	"fixed": "1.1", "open_seconds": 10, "replaced": false,
}

with_open(list) := {
	"environment": {"state": "verified", "name": "production", "vulnerability_sla": {"critical": 100, "high": 100, "medium": -1, "low": -1}},
	"rollback": {"state": "verified", "requested": false},
	"runtime": {"vulnerable": {"state": "verified", "open": list}},
}

test_what_is_in_order_passes if {
	result := rule.check with input as with_open([finding])
	result.status == "pass"
}

test_an_exploited_one_cannot_wait if {
	result := rule.check with input as with_open([object.union(finding, {"exploited": true})])
	result.status == "fail"
	result.items[0].key == "CVE-1@registry/worker"
	contains(result.items[0].message, "is exploited")
}

test_a_malicious_one_cannot_wait if {
	result := rule.check with input as with_open([object.union(finding, {"malicious": true, "fixed": ""})])
	contains(result.items[0].message, "is malicious")
	contains(result.items[0].fix, "no fix is known")
}

test_one_that_is_open_for_too_long_cannot_wait if {
	result := rule.check with input as with_open([object.union(finding, {"open_seconds": 864000})])
	contains(result.items[0].message, "for 10 days")
	contains(result.items[0].fix, "with the fix 1.1")
}

test_a_severity_without_a_limit_waits if {
	result := rule.check with input as with_open([object.union(finding, {"severity": "medium", "open_seconds": 864000})])
	result.status == "pass"
}

test_what_is_replaced_is_not_held_against_the_repair if {
	result := rule.check with input as with_open([object.union(finding, {"replaced": true, "exploited": true})])
	result.status == "pass"
	result.observed.replaced == 1
}

test_to_go_back_waits_for_no_repair if {
	result := rule.check with input as object.union(with_open([object.union(finding, {"exploited": true})]), {"rollback": {"requested": true}})
	result.status == "pass"
}

test_what_was_never_matched_is_not_known if {
	result := rule.check with input as object.union(with_open([]), {"runtime": {"vulnerable": {"state": "missing"}}})
	result.status == "skip"
}

test_without_a_member_of_a_finding_the_rule_is_silent if {
	every member in ["exploited", "malicious", "severity", "open_seconds", "replaced"] {
		not rule.check with input as with_open([object.remove(finding, [member])])
	}
}
