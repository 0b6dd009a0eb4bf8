package verdict.rules.deploy.plan.network_test

import data.verdict.rules.deploy.plan.network as rule

known := {"environment": {"state": "verified", "name": "production", "tier": "prod", "providers": ["aws"], "accounts": ["1"], "regions": ["eu-west-1"], "kinds": ["aws_*"], "protected": ["aws_db_*"]}, "plan": {"state": "verified", "digest": "d", "create": 1, "update": 0, "replace": 0, "delete": 0, "partial": false, "providers": ["aws"], "accounts": ["1"], "regions": ["eu-west-1"], "resources": [{"address": "aws_lb.x", "type": "aws_lb", "provider": "aws", "action": "update", "class": "other", "account": "1", "region": "eu-west-1"}]}}

test_what_is_in_order_passes if {
	result := rule.check with input as known
	result.status == "pass"
}

test_a_network_asks if {
	result := rule.check with input as object.union(known, {"plan": {"resources": [{"address": "aws_lb.x", "type": "aws_lb", "provider": "aws", "action": "update", "class": "network", "account": "1", "region": "eu-west-1"}]}})
	result.status == "fail"
	result.items[0].key == "update:aws_lb.x"
}

test_without_resources_of_plan_the_rule_is_silent if {
	not rule.check with input as object.union(object.remove(known, ["plan"]), {"plan": object.remove(known.plan, ["resources"])})
}
