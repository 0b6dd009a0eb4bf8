# METADATA
# title: The build is as trustworthy as the environment asks
# custom:
#   id: deploy.gate.slsa
#   effect: deny
#   severity: high
#   evidence: [provenance]
#   remediation: >-
#     Build it where the map trusts the builder with this level (builders: in the map), and
#     promote that digest.
#   owner: platform
package verdict.rules.deploy.gate.slsa

import data.verdict.rules.deploy
import input.artifact
import input.environment

check := deploy.answer({"environment": environment.state, "artifact": artifact.state, "provenance": artifact.provenance.state}, items, {
	"fail": sprintf("%s asks for a build at SLSA level %d, and this one is at %d, or nobody knows", [environment.name, environment.min_slsa, artifact.provenance.slsa]),
	"pass": sprintf("the build is at SLSA level %d of the %d that %s asks for", [artifact.provenance.slsa, environment.min_slsa, environment.name]),
	"observed": {"slsa": artifact.provenance.slsa, "provenance": artifact.provenance.state},
	"expected": {"slsa": environment.min_slsa},
})

known := {"verified", "present"}

items := [deploy.item("slsa:unknown", sprintf("who built it is not known (provenance is %s), and %s asks for SLSA build level %d", [artifact.provenance.state, environment.name, environment.min_slsa]), sprintf("record its provenance, and have it trusted: verdict artifact trust %s", [deploy.ref]))] if {
	environment.min_slsa > 0
	not artifact.provenance.state in known
	artifact.provenance.state != ""
} else := [deploy.item("slsa", sprintf("SLSA build level %d instead of %d", [artifact.provenance.slsa, environment.min_slsa]), "build it on a builder of that level")] if {
	artifact.provenance.slsa < environment.min_slsa
} else := [] if {
	artifact.provenance.slsa >= environment.min_slsa
}
