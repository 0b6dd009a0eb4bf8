package verdict.rules.deploy.gate.emergencies_test

import data.verdict.rules.deploy.gate.emergencies as rule

known := {"break_glass": {"state": "verified", "overdue": []}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_an_overdue_review_fails if {
	result := rule.check with input as object.union(known, {"break_glass": {"overdue": [{"id": "bg", "incident": "i", "by": "eva", "review_by": "t", "evidence": "e"}]}})
	result.status == "fail"
	result.items[0].key == "break-glass:bg"
}

test_without_overdue_of_break_glass_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["break_glass"]), {"break_glass": object.remove(known.break_glass, ["overdue"])})
}
