package verdict.rules.artifact.trust.inventory_test

import data.verdict.rules.artifact.trust.inventory

sbom := {"state": "verified", "inventory": "incomplete", "evidence": "e"}

test_a_bill_that_lacks_parts_is_told if {
	result := inventory.check with input as {"artifact": {"sbom": sbom}}
	result.status == "fail"
	result.message == "the bill of materials is not complete by its own word"
}

test_a_word_that_is_none_leaves_the_rule_silent if {
	not inventory.check with input as {"artifact": {"sbom": object.union(sbom, {"inventory": "maybe"})}}
}
