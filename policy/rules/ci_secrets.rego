# METADATA
# title: No leaked secret
# description: A secret in the source is known to everybody who can read the source.
# custom:
#   id: ci.secrets.none
#   effect: deny
#   severity: critical
#   evidence: [secrets]
#   remediation: >-
#     Revoke the secret where it was issued, then take it out of the source and read it
#     from a vault. A false positive is stated in the ignore file, with reason, owner and expiry.
#   owner: security
package verdict.rules.ci.secrets

import data.verdict.lib
import input.checks.secrets

# A leak that was found counts, however little else is known of the check. Each branch
# says all that it rests on: "else" orders them and decides nothing.
check := {
	"status": "fail",
	"message": sprintf("%s in the source", [lib.counted(count(secrets.failed), "leaked secret", "leaked secrets")]),
	"observed": {"leaked": count(secrets.failed), "ignored": secrets.ignored},
	"expected": {"leaked": 0},
	"items": lib.items(secrets.failed),
} if {
	count(secrets.failed) > 0
} else := {
	"status": "pass",
	"message": sprintf("no secret found in %s", [lib.counted(secrets.inputs, "file", "files")]),
	"observed": {"leaked": 0, "ignored": secrets.ignored},
	"expected": {"leaked": 0},
} if {
	count(secrets.failed) == 0
	lib.known(secrets)
} else := lib.not_judged("secrets", secrets) if {
	count(secrets.failed) == 0
	not lib.known(secrets)
}
