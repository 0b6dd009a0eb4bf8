# METADATA
# title: An owner stands behind each protected path
# description: >-
#   Ownership files, the decision map, pipeline definitions and policy change only by the
#   hand or with the approval of somebody who owns them.
# custom:
#   id: code.review.protected
#   effect: deny
#   severity: high
#   evidence: [change, ownership, change-review]
#   remediation: >-
#     Have an owner of the path approve the change's last commit. Who is in a team that owns
#     it, the map says under `people:`.
#   owner: platform
package verdict.rules.code.review.protected

import data.verdict.lib
import data.verdict.rules.code.review as shared
import input.ownership
import input.review

# behind: who vouches for the change by an account of the forge.
behind := shared.counting | requesting

requesting := {review.author | review.author_known == true}

marks := [mark |
	some p in ownership.protected
	mark := {"path": p.path, "owners": concat(", ", p.owners), "behind": count({x | some x in p.persons; x in behind})}
]

lacking := count([1 | some m in marks; m.behind == 0])

items := [item |
	some m in marks
	m.behind == 0
	item := {
		"key": m.path,
		"message": sprintf("no owner of it stands behind the change: %s", [named(m.owners)]),
		"path": m.path,
		"line": 0,
		"fix": sprintf("have %s approve the last commit", [named(m.owners)]),
		"evidence": ownership.evidence,
	}
]

named("") := "nobody owns it"

named(owners) := owners if owners != ""

check := {
	"status": "fail",
	"message": sprintf("%s without an owner behind it", [lib.counted(lacking, "protected path changes", "protected paths change")]),
	"observed": {"without": lacking, "protected": count(marks)},
	"expected": {"without": 0},
	"items": items,
} if {
	shared.stated
	lib.stated(ownership)
	shared.whole
	count(marks) == count(ownership.protected)
	lacking > 0
	count(items) == lacking
} else := {
	"status": "pass",
	"message": sprintf("an owner stands behind each of %s", [lib.counted(count(marks), "protected path", "protected paths")]),
	"observed": {"without": 0, "protected": count(marks)},
	"expected": {"without": 0},
} if {
	shared.stated
	lib.stated(ownership)
	shared.whole
	count(marks) == count(ownership.protected)
	lacking == 0
} else := lib.not_stated("ownership", ownership) if {
	shared.stated
} else := shared.not_stated if {
	ownership.state
}
