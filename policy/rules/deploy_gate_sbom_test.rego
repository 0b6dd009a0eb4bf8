package verdict.rules.deploy.gate.sbom_test

import data.verdict.rules.deploy.gate.sbom as rule

known := {"artifact": {"state": "verified", "provenance": {"state": "verified", "slsa": 3, "source": "https://h/acme/cart"}, "sbom": {"state": "verified", "inventory": "complete", "components": 3}, "base": {"state": "present", "name": "base", "age_seconds": 10}}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_an_incomplete_bill_fails if {
	result := rule.check with input as object.union(known, {"artifact": {"sbom": {"inventory": "incomplete"}}})
	result.status == "fail"
	result.items[0].key == "sbom"
}

test_without_sbom_of_artifact_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["artifact"]), {"artifact": object.remove(known.artifact, ["sbom"])})
}
