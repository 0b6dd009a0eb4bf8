# METADATA
# title: Nobody has an access key that is valid for good
# custom:
#   id: VI-ALI-006
#   severity: medium
#   theme: identity
#   reference: "Alibaba Cloud RAM: Best practices for using access keys"
#   fix: >-
#     Take a RAM role: of the instance, of the service account of a pod, by OpenID Connect for
#     pipelines.
#   settings:
#     alicloud_ram_access_key: {status: status}
package verdict.cloud.alibaba.access_keys

import data.verdict.cloud.lib

found contains lib.at(input.status, "the user has an access key, which works from anywhere until somebody takes it away, and whose secret stands in the state") if {
	lib.is_not(input.status, "Inactive")
}
