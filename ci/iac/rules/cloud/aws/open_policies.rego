# METADATA
# title: A resource is open to somebody in particular
# custom:
#   id: VI-AWS-006
#   severity: high
#   theme: exposure
#   reference: "AWS IAM User Guide: AWS JSON policy elements: Principal"
#   fix: >-
#     Name the accounts, roles or services as principals, or bind everybody by a condition such
#     as aws:PrincipalOrgID.
#   settings:
#     aws_s3_bucket_policy: {policy: policy}
#     aws_s3_bucket: {policy: policy}
#     aws_sqs_queue: {policy: policy}
#     aws_sqs_queue_policy: {policy: policy}
#     aws_sns_topic: {policy: policy}
#     aws_sns_topic_policy: {policy: policy}
#     aws_kms_key: {policy: policy}
#     aws_kms_key_policy: {policy: policy}
#     aws_secretsmanager_secret: {policy: policy}
#     aws_secretsmanager_secret_policy: {policy: policy}
#     "AWS::S3::BucketPolicy": {policy: PolicyDocument}
#     "AWS::SQS::QueuePolicy": {policy: PolicyDocument}
#     "AWS::SNS::TopicPolicy": {policy: PolicyDocument}
#     "AWS::KMS::Key": {policy: KeyPolicy}
#     "AWS::SecretsManager::ResourcePolicy": {policy: ResourcePolicy}
#     aws_lambda_permission: {who: principal, account: source_account, source: source_arn, organisation: principal_org_id, address: function_url_auth_type}
#     "AWS::Lambda::Permission": {who: Principal, account: SourceAccount, source: SourceArn, organisation: PrincipalOrgID, address: FunctionUrlAuthType}
package verdict.cloud.aws.open_policies

import data.verdict.cloud.lib

found contains lib.at(s, "its policy lets everybody in, without a condition") if {
	some s in lib.allows(input.policy)
	lib.for_everybody(s)
	lib.unconditional(s)
}

# That a function answers at an address without a name is another rule's.
found contains lib.at(input.who, "anybody who has an account at AWS may call the function") if {
	lib.is(input.who, "*")
	lib.is_absent(input.account)
	lib.is_absent(input.source)
	lib.is_absent(input.organisation)
	lib.is_absent(input.address)
}
