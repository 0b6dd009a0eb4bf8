# METADATA
# title: No policy gives all rights on everything
# custom:
#   id: VI-AWS-003
#   severity: high
#   theme: identity
#   reference: "AWS IAM User Guide: Apply least-privilege permissions"
#   fix: >-
#     Name the actions that are needed and the resources that they are needed on.
#   settings:
#     aws_iam_policy: {policy: policy}
#     aws_iam_role_policy: {policy: policy}
#     aws_iam_user_policy: {policy: policy}
#     aws_iam_group_policy: {policy: policy}
#     "AWS::IAM::ManagedPolicy": {policy: PolicyDocument}
#     "AWS::IAM::Policy": {policy: PolicyDocument}
#     "AWS::IAM::RolePolicy": {policy: PolicyDocument}
#     "AWS::IAM::UserPolicy": {policy: PolicyDocument}
#     "AWS::IAM::GroupPolicy": {policy: PolicyDocument}
#     aws_iam_role_policy_attachment: {attached: policy_arn}
#     aws_iam_user_policy_attachment: {attached: policy_arn}
#     aws_iam_group_policy_attachment: {attached: policy_arn}
#     aws_iam_policy_attachment: {attached: policy_arn}
#     aws_iam_role: {inline: inline_policy, attached: managed_policy_arns}
#     "AWS::IAM::Role": {inline: Policies, attached: ManagedPolicyArns}
#     "AWS::IAM::User": {inline: Policies, attached: ManagedPolicyArns}
#     "AWS::IAM::Group": {inline: Policies, attached: ManagedPolicyArns}
package verdict.cloud.aws.all_rights

import data.verdict.cloud.lib

documents contains input.policy

documents contains lib.member_of(inner, ["policy", "PolicyDocument"]) if some inner in lib.items(input.inline)

found contains lib.at(s, "the policy allows all actions, or all on identities, on everything: who has it owns the account") if {
	some document in documents
	some s in lib.allows_everywhere(document, {"*", "*:*", "iam:*"})
}

found contains lib.at(policy, "the policy AdministratorAccess allows everything in the account") if {
	some policy in lib.items(input.attached)
	endswith(lib.text(policy), ":policy/AdministratorAccess")
}
