# METADATA
# title: Nobody merged a change of their own alone
# description: A merge past the protection, or by its author without anybody else's yes, makes the review a formality.
# custom:
#   id: code.review.merge
#   effect: deny
#   severity: high
#   evidence: [change, change-review]
#   remediation: >-
#     Have somebody else look at what was merged, and approve or revert it; then let the
#     target's protection apply to everybody.
#   owner: platform
package verdict.rules.code.review.merge

import data.verdict.rules.code.review as shared
import input.review

merger := {"id": review.merged_by, "known": review.merger_known, "bot": review.merger_bot}

# False only because merger has all its members, or every branch below is undefined.
default alone := false

alone if {
	merger.known == true
	merger.id in shared.involved
	count(shared.counting) == 0
}

default stranger := false

stranger if {
	merger.known == false
	merger.bot == false
}

faults := [fault |
	some fault in [
		{"is": review.bypassed, "key": "bypassed", "message": "the merge overrode the protection of its target"},
		{"is": alone, "key": "alone", "message": sprintf("%s merged a change of their own that nobody else approved", [merger.id])},
		{"is": stranger, "key": "stranger", "message": sprintf("%s merged it, and is no account of a person that the map knows", [merger.id])},
	]
	fault.is == true
]

items := [item |
	some fault in faults
	item := {
		"key": fault.key,
		"message": fault.message,
		"path": "",
		"line": 0,
		"fix": "have somebody else review what was merged",
		"evidence": review.evidence,
	}
]

check := {
	"status": "fail",
	"message": sprintf("%s was merged without a second person", [review.request]),
	"observed": {"merged_by": merger.id, "bypassed": review.bypassed},
	"expected": {"bypassed": false},
	"items": items,
} if {
	shared.stated
	shared.whole
	review.merged == true
	count(items) > 0
	count(items) == count(faults)
} else := {
	"status": "pass",
	"message": sprintf("%s was merged after somebody else approved it", [review.request]),
	"observed": {"merged_by": merger.id, "bypassed": review.bypassed},
	"expected": {"bypassed": false},
} if {
	shared.stated
	shared.whole
	review.merged == true
	review.bypassed == false
	not alone
	not stranger
	count(faults) == 0
} else := {
	"status": "pass",
	"message": sprintf("%s is not merged yet", [review.request]),
	"observed": {"merged": false},
	"expected": {"bypassed": false},
} if {
	shared.stated
	shared.whole
	review.merged == false
} else := shared.not_stated
