package verdict.rules.deploy.gate.exposed_test

import data.verdict.rules.deploy.gate.exposed as rule

known := {"environment": {"state": "verified", "name": "production"}, "runtime": {"state": "verified", "open_drift": 0, "open_exposure": 0, "open_misuse": 0}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_open_exposure_asks if {
	result := rule.check with input as object.union(known, {"runtime": {"open_exposure": 1}})
	result.status == "fail"
	result.items[0].key == "runtime:open_exposure"
}

test_without_open_exposure_of_runtime_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["runtime"]), {"runtime": object.remove(known.runtime, ["open_exposure"])})
}
