# METADATA
# title: Nobody has an access key that is valid for good
# custom:
#   id: VI-AWS-004
#   severity: medium
#   theme: identity
#   reference: "AWS IAM User Guide: Require workloads to use temporary credentials with IAM roles"
#   fix: >-
#     Take a role in its place: of the workload, by IAM Identity Center for people, by OpenID
#     Connect for pipelines.
#   settings:
#     aws_iam_access_key: {status: status}
#     "AWS::IAM::AccessKey": {status: Status}
package verdict.cloud.aws.access_keys

import data.verdict.cloud.lib

found contains lib.at(input.status, "the user has an access key, which works from anywhere until somebody takes it away, and whose secret stands in the state") if {
	lib.is_not(input.status, "Inactive")
}
