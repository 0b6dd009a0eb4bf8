package verdict.rules.deploy.gate.base_test

import data.verdict.rules.deploy.gate.base as rule

known := {"environment": {"state": "verified", "name": "production", "max_base_age_seconds": 100}, "artifact": {"state": "verified", "provenance": {"state": "verified", "slsa": 3, "source": "https://h/acme/cart"}, "sbom": {"state": "verified", "inventory": "complete", "components": 3}, "base": {"state": "present", "name": "base", "age_seconds": 10}}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_an_old_base_image_fails if {
	result := rule.check with input as object.union(known, {"artifact": {"base": {"age_seconds": 101}}})
	result.status == "fail"
	result.items[0].key == "base:age"
}

test_without_max_base_age_seconds_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["max_base_age_seconds"])})
}
