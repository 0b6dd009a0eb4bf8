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

# items: one item for each finding, with all members or not at all.
items(findings, message) := list if {
	list := [item |
		some f in findings
		item := {
			"key": f.key,
			"message": sprintf("%s in %s %s %s", [f.id, f.name, f.version, message]),
			"path": f.source_path,
			"line": f.line,
			"fix": fix(f),
			"old": f.old,
			"evidence": f.evidence,
		}
	]
	count(list) == count(findings)
}

fix(finding) := finding.fix if finding.fixed != ""

fix(finding) := sprintf("remove or replace %s: no fixed version is known", [finding.name]) if finding.fixed == ""
