# METADATA
# title: An instance answers metadata by version 2 only
# custom:
#   id: VI-OCI-004
#   severity: medium
#   theme: identity
#   reference: "Oracle Cloud Infrastructure: Instance metadata service v2"
#   fix: >-
#     Set instance_options { are_legacy_imds_endpoints_disabled = true }.
#   settings:
#     oci_core_instance: {disabled: instance_options.are_legacy_imds_endpoints_disabled}
package verdict.cloud.oracle.metadata

import data.verdict.cloud.lib

found contains lib.at(input.disabled, "who makes a program on the machine fetch an address for him gets the identity of the machine") if {
	lib.is_not(input.disabled, true)
}
