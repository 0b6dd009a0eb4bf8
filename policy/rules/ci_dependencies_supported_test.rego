package verdict.rules.ci.dependencies.supported_test

import data.verdict.rules.ci.dependencies.supported

hit := {
	"key": "end-of-life:2026-10-31:python:3.10:.python-version", "detector": "end-of-life", "message": "m", "path": ".python-version",
	"line": 1, "fix": "f", "old": false, "evidence": "",
}

found(at, failed) := {
	"decision": {"at": at},
	"checks": {"dependencies": {"state": "verified", "complete": true, "inputs": 2, "ignored": 0, "failed": failed}},
}

test_a_runtime_fails_from_the_day_on if {
	result := supported.check with input as found("2026-10-31T00:00:00Z", [hit])
	result.status == "fail"
}

test_a_runtime_passes_until_that_day if {
	result := supported.check with input as found("2026-10-30T23:59:59Z", [hit])
	result.status == "pass"
}

test_a_key_without_a_day_leaves_the_rule_silent if {
	not supported.check with input as found("2026-10-30T00:00:00Z", [object.union(hit, {"key": "nonsense"})])
}

test_an_incomplete_check_is_not_judged if {
	result := supported.check with input as object.union(found("2026-10-30T00:00:00Z", []), {"checks": {"dependencies": {"complete": false}}})
	result.status == "skip"
}
