# METADATA
# title: A bucket is not public
# custom:
#   id: VI-OCI-001
#   severity: high
#   theme: exposure
#   reference: "Oracle Cloud Infrastructure: Object Storage buckets, public buckets"
#   fix: >-
#     Take access_type out (NoPublicAccess), and hand objects out by requests that are signed
#     beforehand.
#   settings:
#     oci_objectstorage_bucket: {access: access_type}
package verdict.cloud.oracle.public_bucket

import data.verdict.cloud.lib

found contains lib.at(input.access, "anybody on the internet reads what is in it") if {
	lib.is_one_of(input.access, {"ObjectRead", "ObjectReadWithoutList"})
}
