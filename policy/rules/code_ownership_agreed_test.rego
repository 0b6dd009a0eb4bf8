package verdict.rules.code.ownership.agreed_test

import data.verdict.rules.code.ownership.agreed

disputed(list) := {"ownership": {"state": "verified", "paths": 2, "disputed": list, "evidence": "e"}}

path := {"path": "a.go", "claims": "one says this, another that"}

test_a_dispute_says_who_claims_what if {
	result := agreed.check with input as disputed([path])
	result.items[0].message == "one says this, another that"
}

test_a_dispute_that_lacks_a_member_leaves_the_rule_silent if {
	not agreed.check with input as disputed([path, object.remove(path, ["claims"])])
}
