# METADATA
# title: Commits are signed where the map says so
# description: An author's name in a commit is what somebody typed; a signature ties it to a key.
# custom:
#   id: code.review.signed
#   effect: deny
#   severity: medium
#   evidence: [change]
#   remediation: >-
#     Sign each commit with what the check is given keys for (SSH, OpenPGP, gitsign): git
#     rebase --exec 'git commit --amend -S --no-edit' BASE.
#   owner: platform
package verdict.rules.code.review.signed

import data.verdict.lib
import input.change
import input.service

items := [item |
	some c in change.unsigned
	item := {
		"key": c.id,
		"message": sprintf("%s: %s", [substring(c.id, 10, 12), c.why]),
		"path": "",
		"line": 0,
		"fix": c.remedy,
		"evidence": change.evidence,
	}
]

check := {
	"status": "fail",
	"message": sprintf("%s not known to be signed by its committer", [lib.counted(count(items), "commit is", "commits are")]),
	"observed": {"unsigned": count(items), "commits": change.commits},
	"expected": {"unsigned": 0},
	"items": items,
} if {
	lib.stated(change)
	lib.stated(service)
	service.signed_commits == true
	count(items) > 0
	count(items) == count(change.unsigned)
} else := {
	"status": "pass",
	"message": sprintf("all of %s signed", [lib.counted(change.commits, "commit is", "commits are")]),
	"observed": {"unsigned": 0, "commits": change.commits},
	"expected": {"unsigned": 0},
} if {
	lib.stated(change)
	lib.stated(service)
	service.signed_commits == true
	count(change.unsigned) == 0
} else := {
	"status": "pass",
	"message": "the map does not ask for signed commits here",
	"observed": {"unsigned": count(change.unsigned), "commits": change.commits},
	"expected": "no signature",
} if {
	lib.stated(change)
	lib.stated(service)
	service.signed_commits == false
} else := lib.not_stated("the service", service) if {
	lib.stated(change)
} else := lib.not_stated("change", change) if {
	service.state
}
