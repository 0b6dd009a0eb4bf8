# METADATA
# title: What the rules about dependencies share
package verdict.rules.ci.dependencies

import data.verdict.lib
import input.checks.dependencies

# What the check tells, by the rule that judges it. A hit with another detector is one of
# somebody else's tool, and the rule "other" judges it.
detectors := {
	"locked": {"lockfile-missing", "lockfile-out-of-step"},
	"integrity": {"hash-missing", "hash-changed"},
	"pinned": {"unpinned"},
	"source": {"internal-name-from-public-registry"},
	"licences": {"licence-refused"},
	"supported": {"end-of-life"},
	"suspect": {
		"mutable-reference", "install-script-added", "hashes-not-recorded", "registries-mixed", "name-like-a-popular-one",
		"licence-unknown", "internal-name-of-unknown-source", "end-of-life-allowed",
	},
}

# of: the hits that one rule judges.
of(rule) := [hit | some hit in dependencies.failed; hit.detector in detectors[rule]]

# read: every hit says which detector it is of, so that none is passed over.
read if {
	marks := [hit.detector | some hit in dependencies.failed]
	count(marks) == count(dependencies.failed)
}

# failing, clean and not_judged: the three things that a rule can say.
failing(hits, one, many) := {
	"status": "fail",
	"message": lib.counted(count(hits), one, many),
	"observed": {"found": count(hits), "ignored": dependencies.ignored},
	"expected": {"found": 0},
	"items": lib.items(hits),
}

clean(message) := {
	"status": "pass",
	"message": sprintf("%s in %s", [message, lib.counted(dependencies.inputs, "file", "files")]),
	"observed": {"found": 0, "ignored": dependencies.ignored},
	"expected": {"found": 0},
}

not_judged := lib.not_judged("dependencies", dependencies)
