package verdict.rules.ci.secrets_test

import data.verdict.rules.ci.secrets

hit := {"key": "aws:a.py:1", "message": "AWS access key", "path": "a.py", "line": 1, "fix": "", "old": false, "evidence": ""}

found(failed) := {"checks": {"secrets": {"state": "verified", "complete": true, "inputs": 1, "ignored": 0, "failed": failed}}}

test_a_leaked_key_names_its_place if {
	result := secrets.check with input as found([hit])
	result.status == "fail"
	result.items == [hit]
}

test_a_clean_tree_says_what_was_observed if {
	result := secrets.check with input as found([])
	result.status == "pass"
	result.observed.leaked == 0
}

test_a_hit_without_a_key_leaves_the_rule_silent if {
	not secrets.check with input as found([hit, object.remove(hit, ["key"])])
}

test_no_input_leaves_the_rule_silent if {
	not secrets.check with input as {}
}
