# METADATA
# title: A role trusts somebody in particular
# custom:
#   id: VI-AWS-002
#   severity: critical
#   theme: identity
#   reference: "AWS IAM User Guide: AWS JSON policy elements: Principal"
#   fix: >-
#     Name the account, role or service that takes the role as its principal.
#   settings:
#     aws_iam_role: {trust: assume_role_policy}
#     "AWS::IAM::Role": {trust: AssumeRolePolicyDocument}
package verdict.cloud.aws.open_trust

import data.verdict.cloud.lib

found contains lib.at(s, "anybody who has an account at AWS may take the role") if {
	some s in lib.allows(input.trust)
	lib.for_everybody(s)
	lib.unconditional(s)
}
