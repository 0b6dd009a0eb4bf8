package verdict.rules.deploy.gate.trusted_test

import data.verdict.rules.deploy.gate.trusted as rule

known := {"artifact": {"state": "verified", "provenance": {"state": "verified", "slsa": 3, "source": "https://h/acme/cart"}, "sbom": {"state": "verified", "inventory": "complete", "components": 3}, "base": {"state": "present", "name": "base", "age_seconds": 10}}, "subject": {"digest": "sha256:a"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_denied_artifact_fails if {
	result := rule.check with input as object.union(known, {"artifact": {"state": "failed"}})
	result.status == "fail"
	result.items[0].key == "trust:sha256:a"
}

test_without_state_of_artifact_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["artifact"]), {"artifact": object.remove(known.artifact, ["state"])})
}
