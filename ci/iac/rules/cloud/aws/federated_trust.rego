# METADATA
# title: A role trusts named repositories of a federated provider
# custom:
#   id: VI-AWS-001
#   severity: critical
#   theme: identity
#   reference: "AWS IAM User Guide: Create a role for OpenID Connect federation"
#   fix: >-
#     Ask for the sub of the token: StringEquals "token.actions.githubusercontent.com:sub" =
#     "repo:shop/api:environment:production".
#   settings:
#     aws_iam_role: {trust: assume_role_policy}
#     "AWS::IAM::Role": {trust: AssumeRolePolicyDocument}
package verdict.cloud.aws.federated_trust

import data.verdict.cloud.lib

# Providers whose tokens are told apart by other claims.
other_claims := `(?i)cognito-identity\.amazonaws\.com|accounts\.google\.com|www\.amazon\.com|graph\.facebook\.com`

federated contains s if {
	some s in lib.allows(input.trust)
	some a in lib.items(lib.member(s, "Action"))
	lib.is_one_of(a, {"sts:AssumeRoleWithWebIdentity", "sts:*", "*"})
	some who in lib.items(lib.member(lib.member(s, "Principal"), "Federated"))
	not regex.match(other_claims, lib.text(who))
	not regex.match(`(?i)saml`, lib.text(who))
}

claims(s) := {{"test": test, "key": key, "value": v} |
	some test, inner in lib.member(s, "Condition").value
	some key, values in inner.value
	some v in lib.items(values)
}

found contains lib.at(s, "any repository, workload or person that the provider knows may take the role: its trust asks for no sub") if {
	some s in federated
	known(lib.member(s, "Condition"))
	not regex.match(other_claims, concat(" ", {c.key | some c in claims(s)}))
	count({c | some c in claims(s); asks_sub(c)}) == 0
}

known(condition) if {
	condition.state != "unknown"
	count({1 | some _, inner in condition.value; inner.state == "unknown"}) == 0
}

asks_sub(c) if {
	endswith(lower(c.key), ":sub")
	not regex.match(`(?i)not|null`, c.test)
	not regex.match(`^[*?]+$`, lib.text(c.value))
}

asks_sub(c) if {
	endswith(lower(c.key), ":sub")
	c.value.state == "unknown"
}

found contains lib.less(lib.at(c.value, "any repository of an organisation may take the role"), "high") if {
	some c in subs
	regex.match(`(?i)^(repo:[^/]*\*|repo:[^/:]+/\*|project_path:[^/]+/\*|project_path:\*|organization:\*)`, lib.text(c.value))
}

found contains lib.less(lib.at(c.value, "any branch and pull request of the repository may take the role, before anybody has looked at it"), "medium") if {
	some c in subs
	regex.match(`(?i)^(repo:[^/*]+/[^/:*]+:\*|project_path:[^/*]+/[^:*]+:\*)`, lib.text(c.value))
}

found contains lib.less(lib.at(c.value, "any pull request of the repository may take the role, before anybody has looked at it"), "medium") if {
	some s in federated
	some c in claims(s)
	endswith(lower(c.key), ":sub")
	endswith(lib.text(c.value), ":pull_request")
}

# A star is one only where the test is for likeness.
subs contains c if {
	some s in federated
	some c in claims(s)
	endswith(lower(c.key), ":sub")
	regex.match(`(?i)like`, c.test)
	not regex.match(`(?i)not`, c.test)
}
