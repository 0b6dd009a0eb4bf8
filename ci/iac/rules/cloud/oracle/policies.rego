# METADATA
# title: No policy gives all rights in the tenancy
# custom:
#   id: VI-OCI-003
#   severity: high
#   theme: identity
#   reference: "Oracle Cloud Infrastructure: Policy syntax"
#   fix: >-
#     Allow a group the verb that it needs on a kind of resource in a compartment: Allow group
#     shop-deploy to manage instances in compartment shop.
#   settings:
#     oci_identity_policy: {statements: statements}
package verdict.cloud.oracle.policies

import data.verdict.cloud.lib

found contains lib.at(s, "the statement allows everything in the whole tenancy") if {
	some s in lib.items(input.statements)
	regex.match(`(?i)^\s*allow\s+.*\bto\s+manage\s+all-resources\s+in\s+tenancy\s*$`, lib.text(s))
}

found contains object.union(lib.at(s, "the statement lets any user of any tenancy or workload in, without a condition"), {"severity": "critical"}) if {
	some s in lib.items(input.statements)
	regex.match(`(?i)^\s*allow\s+any-(user|group)\s+to\s`, lib.text(s))
	not regex.match(`(?i)\bwhere\b`, lib.text(s))
}
