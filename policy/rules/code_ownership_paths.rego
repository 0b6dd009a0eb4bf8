# METADATA
# title: Every changed path has an owner
# description: A change to a path that nobody owns is one that nobody has to answer for.
# custom:
#   id: code.ownership.paths
#   effect: deny
#   severity: high
#   evidence: [ownership]
#   remediation: >-
#     Name an owner on the branch that the change goes to: a line in CODEOWNERS, or a service
#     with its paths in verdict.yaml. What the change itself says of ownership does not count.
#   owner: platform
package verdict.rules.code.ownership.paths

import data.verdict.lib
import input.ownership

items := [item |
	some u in ownership.unowned
	item := {
		"key": u.path,
		"message": sprintf("no owner%s", [brought(u.brought)]),
		"path": u.path,
		"line": 0,
		"fix": "",
		"evidence": ownership.evidence,
	}
]

brought("") := ""

brought(words) := sprintf("; the change itself names one, which does not count: %s", [words]) if words != ""

check := {
	"status": "fail",
	"message": sprintf("%s no owner", [lib.counted(count(items), "changed path has", "changed paths have")]),
	"observed": {"unowned": count(items), "paths": ownership.paths},
	"expected": {"unowned": 0},
	"items": items,
} if {
	lib.stated(ownership)
	count(items) > 0
	count(items) == count(ownership.unowned)
} else := {
	"status": "pass",
	"message": sprintf("all of %s an owner", [lib.counted(ownership.paths, "changed path has", "changed paths have")]),
	"observed": {"unowned": 0, "paths": ownership.paths},
	"expected": {"unowned": 0},
} if {
	lib.stated(ownership)
	count(ownership.unowned) == 0
} else := lib.not_stated("ownership", ownership)
