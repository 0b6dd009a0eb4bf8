# METADATA
# title: What rules share
# description: >-
#   Functions that read every member that they promise, so that a member that is not
#   there leaves a rule silent, and a silent rule is an error.
package verdict.lib

# known: whether a group of facts may let something pass. Whether "present" is enough is
# for the point's need to say; the decision denies it otherwise.
known(group) if {
	group.state in {"verified", "present"}
	group.complete == true
}

# stated: whether a group of facts that is either known or not may let something pass.
stated(group) if group.state in {"verified", "present"}

# not_stated: what a rule reports when a group that it needs is not.
not_stated(name, group) := {
	"status": "skip",
	"message": sprintf("%s not judged: it is %s", [name, group.state]),
	"observed": {"state": group.state},
	"expected": {"state": "verified"},
} if {
	not stated(group)
}

# items: one item for each hit, with all members or not at all.
items(hits) := list if {
	list := [item |
		some hit in hits
		item := {
			"key": hit.key,
			"message": hit.message,
			"path": hit.path,
			"line": hit.line,
			"fix": hit.fix,
			"old": hit.old,
			"evidence": hit.evidence,
		}
	]
	count(list) == count(hits)
}

# not_judged: what a rule reports of facts that are not known. The decision has the
# final word: it denies for evidence that is missing, and cannot decide over a check of
# its own that is incomplete.
not_judged(name, group) := {
	"status": "skip",
	"message": sprintf("%s not judged: the check is %s and its result %s", [name, group.state, completeness]),
	"observed": {"state": group.state, "complete": group.complete},
	"expected": {"state": "verified", "complete": true},
} if {
	completeness := {true: "complete", false: "incomplete"}[group.complete]
}

# counted: "1 leaked secret", "2 leaked secrets".
counted(1, one, _) := sprintf("1 %s", [one])

counted(n, _, many) := sprintf("%d %s", [n, many]) if n != 1
