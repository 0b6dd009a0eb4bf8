# METADATA
# title: Somebody else approved the change as it stands
# description: >-
#   An approval counts when it was given for the last commit, by a person of the map who is
#   not a bot and had no hand in any commit of the change. An account that the map does not
#   know could be anybody's, also the author's own.
# custom:
#   id: code.review.approved
#   effect: deny
#   severity: high
#   evidence: [change, change-review]
#   remediation: >-
#     Have somebody who did not work on the change approve its last commit. An account that is
#     not known is joined to its person under `people:` in the map.
#   owner: platform
package verdict.rules.code.review.approved

import data.verdict.lib
import data.verdict.rules.code.review as shared
import input.review

needed := max([1, review.required])

given := count(shared.counting)

words := {
	"stale": "approved an earlier commit",
	"dismissed": "gave an approval that was taken back",
	"unknown": "gave an approval, and for which commit nobody knows",
}

# why: what an approval that does not count is worth.
why(a) := words[a.standing] if a.standing != "stands"

why(a) := "is a bot" if {
	a.standing == "stands"
	a.bot == true
}

why(a) := "approved, and is no person that the map knows" if {
	a.standing == "stands"
	a.bot == false
	a.known == false
}

why(a) := "approved, and had a hand in the change" if {
	a.standing == "stands"
	a.bot == false
	a.known == true
	a.person in shared.involved
}

aside := [item |
	some a in shared.read
	not counts(a)
	item := {
		"key": sprintf("approval:%s:%s", [a.person, a.standing]),
		"message": sprintf("%s %s", [a.person, why(a)]),
		"path": "",
		"line": 0,
		"fix": "have a person of the map who had no hand in the change approve its last commit",
		"evidence": review.evidence,
	}
]

counts(a) if {
	a.standing == "stands"
	a.person in shared.counting
}

unknown := [item |
	some id in shared.strangers
	item := {
		"key": sprintf("account:%s", [id]),
		"message": sprintf("%s had a hand in the change, and is no account of a person that the map knows", [id]),
		"path": "",
		"line": 0,
		"fix": "add the account to its person under people: in the map (git address or login)",
		"evidence": review.evidence,
	}
]

enough if {
	given >= needed
	count(shared.strangers) == 0
}

told := array.concat(unknown, aside)

# Each approval and each stranger has its item, or the rule is silent.
listed if {
	count(unknown) == count(shared.strangers)
	count(aside) == count([1 | some a in shared.read; not counts(a)])
}

check := {
	"status": "fail",
	"message": sprintf("%s by others of %d that it takes, at %s", [lib.counted(given, "approval", "approvals"), needed, review.request]),
	"observed": {"approvals": given, "unknown_accounts": count(shared.strangers), "objecting": count(review.objecting)},
	"expected": {"approvals": needed, "unknown_accounts": 0},
	"items": told,
} if {
	shared.stated
	shared.whole
	listed
	not enough
} else := {
	"status": "pass",
	"message": sprintf("%s by others at the last commit of %s", [lib.counted(given, "approval", "approvals"), review.request]),
	"observed": {"approvals": given, "unknown_accounts": 0, "objecting": count(review.objecting)},
	"expected": {"approvals": needed, "unknown_accounts": 0},
} if {
	shared.stated
	shared.whole
	listed
	enough
} else := shared.not_stated
