# METADATA
# title: All sources name the same owners
# description: Where two files name different owners, everybody may take the other for responsible.
# custom:
#   id: code.ownership.agreed
#   effect: deny
#   severity: medium
#   evidence: [ownership]
#   remediation: >-
#     Let one of the files say it, or all of them the same: give the folder a service of its
#     own in verdict.yaml, or correct the line in CODEOWNERS or the catalog file.
#   owner: platform
package verdict.rules.code.ownership.agreed

import data.verdict.lib
import input.ownership

items := [item |
	some d in ownership.disputed
	item := {
		"key": d.path,
		"message": d.claims,
		"path": d.path,
		"line": 0,
		"fix": "",
		"evidence": ownership.evidence,
	}
]

check := {
	"status": "fail",
	"message": sprintf("%s owners that differ", [lib.counted(count(items), "changed path has", "changed paths have")]),
	"observed": {"disputed": count(items), "paths": ownership.paths},
	"expected": {"disputed": 0},
	"items": items,
} if {
	lib.stated(ownership)
	count(items) > 0
	count(items) == count(ownership.disputed)
} else := {
	"status": "pass",
	"message": sprintf("no source contradicts another about %s", [lib.counted(ownership.paths, "changed path", "changed paths")]),
	"observed": {"disputed": 0, "paths": ownership.paths},
	"expected": {"disputed": 0},
} if {
	lib.stated(ownership)
	count(ownership.disputed) == 0
} else := lib.not_stated("ownership", ownership)
