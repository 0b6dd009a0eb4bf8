# METADATA
# title: Protected paths have an owner of their own
# description: >-
#   Ownership files, the decision map, pipeline definitions and policy say who decides and
#   what is checked. Whoever owns everything else must not own them by the way.
# custom:
#   id: code.ownership.protected
#   effect: deny
#   severity: high
#   evidence: [ownership]
#   remediation: >-
#     Name an owner for the path itself, for example `/.github/ @acme/platform` in CODEOWNERS,
#     on the branch that the change goes to.
#   owner: platform
package verdict.rules.code.ownership.protected

import data.verdict.lib
import input.ownership

# One mark for each path: where one lacks a member, no branch holds and the rule is silent.
marks := [owned |
	some p in ownership.protected
	owned := {"path": p.path, "own": p.own, "owners": count(p.owners)}
]

items := [item |
	some m in marks
	not own(m)
	item := {
		"key": m.path,
		"message": {true: "no owner", false: "owned only among everything else"}[m.owners == 0],
		"path": m.path,
		"line": 0,
		"fix": sprintf("add a line for /%s with its owner to CODEOWNERS", [m.path]),
		"evidence": ownership.evidence,
	}
]

own(m) if {
	m.own == true
	m.owners > 0
}

lacking := count([1 | some m in marks; not own(m)])

check := {
	"status": "fail",
	"message": sprintf("%s no owner of %s own", [
		lib.counted(lacking, "protected path has", "protected paths have"),
		{true: "its", false: "their"}[lacking == 1],
	]),
	"observed": {"without": lacking, "protected": count(marks)},
	"expected": {"without": 0},
	"items": items,
} if {
	lib.stated(ownership)
	lacking > 0
	count(items) == lacking
	count(marks) == count(ownership.protected)
} else := {
	"status": "pass",
	"message": sprintf("%s of the change with an owner of their own", [lib.counted(count(marks), "protected path", "protected paths")]),
	"observed": {"without": 0, "protected": count(marks)},
	"expected": {"without": 0},
} if {
	lib.stated(ownership)
	lacking == 0
	count(marks) == count(ownership.protected)
} else := lib.not_stated("ownership", ownership)
