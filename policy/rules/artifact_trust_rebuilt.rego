# METADATA
# title: One commit gave one digest
# description: >-
#   A second digest of the same name from the same commit is another artifact: what is known of
#   the first does not hold for it.
# custom:
#   id: artifact.trust.rebuilt
#   effect: note
#   severity: medium
#   evidence: [decision]
#   remediation: >-
#     Promote the digest that was tested, and build once for each commit. Where the build is
#     reproducible, find out what made the second digest another.
#   owner: platform
package verdict.rules.artifact.trust.rebuilt

import data.verdict.lib
import data.verdict.rules.artifact.trust
import input.artifact

items := [item |
	some r in artifact.rebuilds
	item := {
		"key": r.digest,
		"message": sprintf("%s was built from this commit as well, and decided on %s", [substring(r.digest, 0, 19), r.at]),
		"path": "",
		"line": 0,
		"fix": "promote the digest that was tested",
		"evidence": r.evidence,
	}
]

check := {
	"status": "fail",
	"message": sprintf("the same commit gave %s", [lib.counted(count(items), "other digest of this name", "other digests of this name")]),
	"observed": {"rebuilds": count(items)},
	"expected": {"rebuilds": 0},
	"items": items,
} if {
	lib.stated(trust.known)
	count(items) > 0
	count(items) == count(artifact.rebuilds)
} else := {
	"status": "pass",
	"message": "no other digest of this name is known from this commit",
	"observed": {"rebuilds": 0},
	"expected": {"rebuilds": 0},
} if {
	lib.stated(trust.known)
	count(artifact.rebuilds) == 0
} else := lib.not_stated("the artifact", trust.known)
