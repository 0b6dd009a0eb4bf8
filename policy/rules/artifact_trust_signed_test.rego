package verdict.rules.artifact.trust.signed_test

import data.verdict.rules.artifact.trust.signed

signature := {"state": "verified", "by": "ana", "issuer": "", "evidence": "e"}

test_a_stranger_alone_is_no_signer if {
	result := signed.check with input as {"artifact": {"signature": object.union(signature, {"state": "present"})}}
	result.status == "fail"
}

test_a_signature_without_its_statement_leaves_the_rule_silent if {
	not signed.check with input as {"artifact": {"signature": object.remove(signature, ["by"])}}
}
