# METADATA
# title: A bucket is not public
# custom:
#   id: VI-ALI-001
#   severity: high
#   theme: exposure
#   reference: "Alibaba Cloud OSS: Bucket ACLs"
#   fix: >-
#     Set acl = "private", and hand files out by signed addresses or a CDN.
#   settings:
#     alicloud_oss_bucket: {acl: acl}
#     alicloud_oss_bucket_acl: {acl: acl}
#     alicloud_oss_bucket_object: {acl: acl}
package verdict.cloud.alibaba.public_bucket

import data.verdict.cloud.lib

found contains lib.at(input.acl, "anybody on the internet reads what is in it") if lib.is(input.acl, "public-read")

found contains object.union(lib.at(input.acl, "anybody on the internet reads, replaces and deletes what is in it"), {"severity": "critical"}) if {
	lib.is(input.acl, "public-read-write")
}
