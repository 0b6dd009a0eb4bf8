# METADATA
# title: A builder that the map knows built it from the service's own source
# description: >-
#   The builder and its build type stand in the map's table of builders, the source is one that
#   it may build from, the commit is told, and nobody set a parameter that the map does not know.
# custom:
#   id: artifact.trust.provenance
#   effect: deny
#   severity: critical
#   evidence: [provenance]
#   remediation: >-
#     Build in the pipeline that the map names under builders:, from the service's repository.
#     Whoever owns the map adds a builder, a source or a parameter there.
#   owner: platform
package verdict.rules.artifact.trust.provenance

import data.verdict.lib
import input.artifact.provenance

item(key, message, fix) := {
	"key": key,
	"message": message,
	"path": "",
	"line": 0,
	"fix": fix,
	"evidence": provenance.evidence,
}

strangers := [item(
	sprintf("builder:%s", [provenance.builder]),
	sprintf("the builder is not known: %s", [provenance.why]),
	"add it under builders: in the map, with who signs for it and its level",
) |
	provenance.known == ""
]

elsewhere := [item(
	sprintf("source:%s", [provenance.source]),
	sprintf("it was built from %s: %s", [provenance.source, provenance.why]),
	"build it from the service's own repository (repo: of the service, or sources: of the builder)",
) |
	provenance.known != ""
	provenance.own == false
]

commitless := [item(
	"commit",
	"the provenance does not tell the commit that was built",
	"have the builder state the commit among the resolved dependencies of the source",
) |
	provenance.commit == ""
]

parameters := [item(
	sprintf("parameter:%s", [name]),
	sprintf("somebody set the parameter %s, which the map does not let this builder have", [name]),
	"build without it, or add it to parameters: of the builder in the map",
) |
	provenance.known != ""
	some name in provenance.unknown_parameters
]

items := array.concat(array.concat(strangers, elsewhere), array.concat(commitless, parameters))

# whole: nothing that the items rest on lacks a member.
whole if {
	is_string(provenance.known)
	is_boolean(provenance.own)
	is_string(provenance.commit)
	is_string(provenance.why)
	is_string(provenance.source)
	is_string(provenance.builder)
	is_string(provenance.evidence)
	is_array(provenance.unknown_parameters)
}

observed := {"builder": provenance.builder, "source": provenance.source, "commit": provenance.commit, "level": provenance.slsa}

expected := "a known builder, the service's own source, a commit, and known parameters"

check := {
	"status": "fail",
	"message": sprintf("%s of the build cannot be trusted", [lib.counted(count(items), "thing", "things")]),
	"observed": observed,
	"expected": expected,
	"items": items,
} if {
	lib.stated(provenance)
	whole
	count(items) > 0
} else := {
	"status": "pass",
	"message": sprintf("built by %s at level %d from %s", [provenance.known, provenance.slsa, provenance.source]),
	"observed": observed,
	"expected": expected,
} if {
	lib.stated(provenance)
	whole
	count(items) == 0
} else := lib.not_stated("the provenance", provenance)
