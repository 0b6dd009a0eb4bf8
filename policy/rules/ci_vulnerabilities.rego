# METADATA
# title: What the vulnerability rules share
package verdict.rules.ci.vulnerabilities

import data.verdict.lib
import input.vulnerabilities as matched

# known: matched completely, against data that is fresh.
known if {
	lib.known(matched)
	matched.database.state in {"verified", "present"}
}

# not_judged: why a rule that found nothing does not say that there is nothing.
not_judged := object.union(
	lib.not_judged("vulnerabilities", matched),
	{"observed": {"state": matched.state, "complete": matched.complete, "database": matched.database.state}},
)

# said: by trusted producers, to be nothing that has to be done about, by the findings' keys.
said := {v.key: v |
	some v in matched.vex
	v.counts == true
	v.status in {"not_affected", "fixed"}
}

# excused: what a statement takes out of what blocks. A finding that lacks a member is not.
# Whoever writes a malicious package does not say what it does, so nobody can say what it
# does not; and of what is attacked every day it does not suffice that nobody should get
# there: only that the vulnerable code is not there, or no longer.
excused(finding) if {
	finding.malicious == false
	finding.exploited == false
	said[finding.key]
}

excused(finding) if {
	finding.malicious == false
	finding.exploited == true
	gone(said[finding.key])
}

gone(statement) if statement.status == "fixed"

gone(statement) if statement.justification in {"component_not_present", "vulnerable_code_not_present"}

# open: the findings that nothing excuses; held: the others.
open := list if {
	list := [f | some f in matched.findings; not excused(f)]
	count(list) + count(held) == count(matched.findings)
}

held := [f | some f in matched.findings; excused(f)]

# excuses: what a result says of the others.
excuses := "" if count(held) == 0

excuses := sprintf("; %s not to affect", [lib.counted(count(held), "is stated", "are stated")]) if count(held) > 0

# items: one item for each finding, with all members or not at all.
items(findings, message) := list if {
	list := [item |
		some f in findings
		item := {
			"key": f.key,
			"message": sprintf("%s in %s %s %s%s", [f.id, f.name, f.version, message, reached(f)]),
			"path": f.source_path,
			"line": f.line,
			"fix": fix(f),
			"old": f.old,
			"evidence": f.evidence,
		}
	]
	count(list) == count(findings)
}

# reached: whether what is affected is imported, where somebody looked. It orders work and
# excuses nothing, so a finding that does not say it loses nothing else.
reached(finding) := sprintf("; %s is imported by %s:%d", [finding.reach.package, finding.reach.path, finding.reach.line]) if {
	finding.reach.imported == "yes"
	finding.reach.line > 0
} else := sprintf("; %s is imported, as %s shows", [finding.reach.package, finding.reach.path]) if {
	finding.reach.imported == "yes"
} else := "; no affected package is imported" if {
	finding.reach.imported == "no"
} else := sprintf("; whether it is imported is not told: %s", [finding.reach.why]) if {
	finding.reach.why != ""
} else := ""

fix(finding) := finding.fix if finding.fixed != ""

fix(finding) := sprintf("remove or replace %s: no fixed version is known", [finding.name]) if finding.fixed == ""
