package verdict.rules.deploy.gate.fresh_test

import data.verdict.rules.deploy.gate.fresh as rule

known := {"vulnerabilities": {"state": "verified", "complete": true, "components": 2, "database": {"state": "verified"}, "vex": [], "findings": [{"key": "V-1@a@1", "id": "V-1", "name": "a", "version": "1", "fixed": "1.1", "fix": "take 1.1", "malicious": false, "exploited": false, "severity": "high", "since": "s10", "source_path": "sbom", "line": 1, "old": false, "reach": {"imported": "unknown", "why": ""}, "evidence": "e"}], "groups": [{"severity": "high", "since": "s10", "open_seconds": 10, "findings": 1, "exploited": 0, "malicious": 0}]}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_old_data_fails if {
	result := rule.check with input as object.union(known, {"vulnerabilities": {"state": "stale"}})
	result.status == "fail"
	result.items[0].key == "vulnerabilities"
}

test_without_complete_of_vulnerabilities_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["vulnerabilities"]), {"vulnerabilities": object.remove(known.vulnerabilities, ["complete"])})
}
