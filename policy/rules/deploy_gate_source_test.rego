package verdict.rules.deploy.gate.source_test

import data.verdict.rules.deploy.gate.source as rule

known := {"artifact": {"state": "verified", "provenance": {"state": "verified", "slsa": 3, "source": "https://h/acme/cart", "own": true}, "sbom": {"state": "verified", "inventory": "complete", "components": 3}, "base": {"state": "present", "name": "base", "age_seconds": 10}}, "service": {"state": "verified", "name": "cart", "repo": "https://h/acme/cart"}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_fork_fails if {
	result := rule.check with input as object.union(known, {"artifact": {"provenance": {"source": "https://h/mallory/cart", "own": false}}})
	result.status == "fail"
	result.items[0].key == "source"
}

test_without_repo_of_service_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["service"]), {"service": object.remove(known.service, ["repo"])})
}
