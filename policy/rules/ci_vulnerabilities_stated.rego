# METADATA
# title: Nothing is stated of the vulnerabilities that were found
# description: >-
#   A statement takes no vulnerability away. Who said it, why and where is told as long as it
#   holds something back, and so is a statement that counts for nothing.
# custom:
#   id: ci.vulnerabilities.stated
#   effect: note
#   severity: low
#   evidence: [vulnerabilities]
#   remediation: >-
#     Look from time to time whether each statement is still so; whoever may state it takes it
#     back with a newer one that says affected.
#   owner: security
package verdict.rules.ci.vulnerabilities.stated

import data.verdict.lib
import data.verdict.rules.ci.vulnerabilities as all
import input.vulnerabilities as matched

# counting: what would hold something back, and counts.
counting := [v | some v in matched.vex; v.counts == true; v.status in {"not_affected", "fixed"}]

aside := [v | some v in matched.vex; v.counts == false]

silent := [v | some v in matched.vex; v.counts == true; not v.status in {"not_affected", "fixed"}]

about[f.key] contains f if some f in matched.findings

# items: "of" is all of "about" at once; asked for one key it walks all findings each time.
items := [item |
	of := about
	some v in array.concat(counting, aside)
	some f in of[v.key]
	item := {
		"key": sprintf("%s#%d", [f.key, v.index]),
		"message": sprintf("%s in %s %s %s; stated by %s on %s, entry %d", [f.id, f.name, f.version, effect(f, v), v.by, substring(v.at, 0, 10), v.index]),
		"path": f.source_path,
		"line": f.line,
		"fix": all.fix(f),
		"old": f.old,
		"evidence": v.evidence,
	}
]

# effect: what a statement does, and what it says.
effect(f, v) := sprintf("is stated to be %s (%s)", [v.status, reason(v)]) if {
	v.counts == true
	all.excused(f)
}

effect(f, v) := sprintf("is malicious, which the statement %s (%s) does not change", [v.status, reason(v)]) if {
	v.counts == true
	f.malicious == true
}

effect(f, v) := sprintf("is known to be exploited: %s (%s) does not suffice for that", [v.status, reason(v)]) if {
	v.counts == true
	f.malicious == false
	f.exploited == true
	not all.excused(f)
}

effect(_, v) := sprintf("counts in full: the statement %s (%s) counts for nothing, because %s", [v.status, reason(v), v.why]) if v.counts == false

# reason: the justification, and what its author wrote.
reason(v) := v.justification if v.impact == ""

reason(v) := v.impact if {
	v.justification == ""
	v.impact != ""
}

reason(v) := sprintf("%s: %s", [v.justification, v.impact]) if {
	v.justification != ""
	v.impact != ""
}

check := {
	"status": "fail",
	"message": sprintf("%s not to affect, %s", [
		lib.counted(count(all.held), "vulnerability is stated", "vulnerabilities are stated"),
		lib.counted(count(items) - count(all.held), "statement changes nothing", "statements change nothing"),
	]),
	"observed": {"stated": count(all.held), "without_effect": count(items) - count(all.held)},
	"expected": {"stated": 0, "without_effect": 0},
	"items": items,
} if {
	count(items) > 0
	count(items) == count(counting) + count(aside)
	(count(counting) + count(aside)) + count(silent) == count(matched.vex)
} else := {
	"status": "pass",
	"message": "nothing is stated of what was found",
	"observed": {"stated": 0, "without_effect": 0},
	"expected": {"stated": 0, "without_effect": 0},
} if {
	count(silent) == count(matched.vex)
	all.known
} else := all.not_judged if {
	count(silent) == count(matched.vex)
	not all.known
}
