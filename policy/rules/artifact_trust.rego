# METADATA
# title: What the rules of trust in an artifact share
package verdict.rules.artifact.trust

import data.verdict.lib
import input.artifact

# known: whether anything is known of the digest; its parts have states of their own.
known := {"state": artifact.state}

# read: every decision about the commit, with all members or the rule that asks is silent.
read(list) := out if {
	out := [d |
		some x in list
		d := {
			"need": x.need,
			"point": x.point,
			"state": x.state,
			"outcome": x.outcome,
			"decision": x.decision,
			"evidence": x.evidence,
		}
	]
	count(out) == count(list)
}

# against: the decisions that did not let the commit through.
against(list) := [d |
	some d in read(list)
	lib.stated(d)
	d.outcome != "allow"
]

# untold: the needs of which no decision counts.
untold(list) := [d.need |
	some d in read(list)
	not lib.stated(d)
]

# passed: what a rule reports of the decisions that one layer took about the commit.
passed(list, what) := {
	"status": "fail",
	"message": sprintf("the commit was not let through by %s", [lib.counted(count(against(list)), sprintf("%s point", [what]), sprintf("%s points", [what]))]),
	"observed": {"against": count(against(list)), "decided": count(list)},
	"expected": {"against": 0},
	"items": [item |
		some d in against(list)
		item := {
			"key": d.need,
			"message": sprintf("%s decided %s: %s", [d.point, d.outcome, d.decision]),
			"path": "",
			"line": 0,
			"fix": sprintf("verdict why %s says what has to change; build again from a commit that passes", [d.decision]),
			"evidence": d.evidence,
		}
	],
} if {
	lib.stated(known)
	count(read(list)) == count(list)
	count(against(list)) > 0
} else := {
	"status": "pass",
	"message": sprintf("the commit was let through by %s", [lib.counted(count(list), sprintf("%s point", [what]), sprintf("%s points", [what]))]),
	"observed": {"against": 0, "decided": count(list)},
	"expected": {"against": 0},
} if {
	lib.stated(known)
	count(read(list)) == count(list)
	count(list) > 0
	count(against(list)) == 0
	count(untold(list)) == 0
} else := {
	"status": "skip",
	"message": sprintf("the point needs nothing that a %s point leaves", [what]),
	"observed": {"decided": 0},
	"expected": {"against": 0},
} if {
	lib.stated(known)
	count(list) == 0
} else := {
	"status": "skip",
	"message": sprintf("not judged: nothing that counts is known of %s", [concat(", ", untold(list))]),
	"observed": {"unknown": untold(list)},
	"expected": {"against": 0},
} if {
	lib.stated(known)
	count(untold(list)) > 0
} else := lib.not_stated("the commit", known)
