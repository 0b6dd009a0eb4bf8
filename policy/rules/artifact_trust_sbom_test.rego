package verdict.rules.artifact.trust.sbom_test

import data.verdict.rules.artifact.trust.sbom as bill

sbom := {"state": "verified", "digest": "d", "format": "CycloneDX 1.6", "components": 1, "inventory": "unknown", "evidence": "e"}

test_a_bill_that_names_one_component_passes if {
	result := bill.check with input as {"artifact": {"sbom": sbom}}
	result.message == "1 component in CycloneDX 1.6"
}

test_a_bill_that_lacks_a_member_leaves_the_rule_silent if {
	not bill.check with input as {"artifact": {"sbom": object.remove(sbom, ["components"])}}
}
