# METADATA
# title: What the vulnerability rules share
package verdict.rules.ci.vulnerabilities

import data.verdict.lib

matched := input.vulnerabilities

# findings: every finding with every member, or nothing at all.
findings := list if {
	list := [finding |
		some f in matched.findings
		finding := {
			"key": f.key,
			"id": f.id,
			"name": f.name,
			"version": f.version,
			"fixed": f.fixed,
			"exploited": f.exploited,
			"malicious": f.malicious,
			"path": f.source_path,
			"line": f.line,
			"evidence": f.evidence,
		}
	]
	count(list) == count(matched.findings)
}

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

# item: what one finding says in a reason.
item(finding, message) := {
	"key": finding.key,
	"message": sprintf("%s in %s %s %s", [finding.id, finding.name, finding.version, message]),
	"path": finding.path,
	"line": finding.line,
	"fix": fix(finding),
	"evidence": finding.evidence,
}

fix(finding) := sprintf("upgrade %s to %s", [finding.name, finding.fixed]) if finding.fixed != ""

fix(finding) := sprintf("remove or replace %s: no fixed version is known", [finding.name]) if finding.fixed == ""
