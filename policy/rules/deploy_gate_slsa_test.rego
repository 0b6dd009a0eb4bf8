package verdict.rules.deploy.gate.slsa_test

import data.verdict.rules.deploy.gate.slsa as rule

known := {"environment": {"state": "verified", "name": "production", "min_slsa": 3}, "artifact": {"state": "verified", "provenance": {"state": "verified", "slsa": 3, "source": "https://h/acme/cart"}, "sbom": {"state": "verified", "inventory": "complete", "components": 3}, "base": {"state": "present", "name": "base", "age_seconds": 10}}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_lower_level_fails if {
	result := rule.check with input as object.union(known, {"artifact": {"provenance": {"slsa": 2}}})
	result.status == "fail"
	result.items[0].key == "slsa"
}

test_without_min_slsa_of_environment_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["environment"]), {"environment": object.remove(known.environment, ["min_slsa"])})
}
