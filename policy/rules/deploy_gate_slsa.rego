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
	"fail": sprintf("the build is at SLSA level %d, and %s asks for %d", [artifact.provenance.slsa, environment.name, environment.min_slsa]),
	"pass": sprintf("the build is at SLSA level %d of the %d that %s asks for", [artifact.provenance.slsa, environment.min_slsa, environment.name]),
	"observed": {"slsa": artifact.provenance.slsa},
	"expected": {"slsa": environment.min_slsa},
})

items := [deploy.item("slsa", sprintf("SLSA build level %d instead of %d", [artifact.provenance.slsa, environment.min_slsa]), "build it on a builder of that level")] if artifact.provenance.slsa < environment.min_slsa

items := [] if artifact.provenance.slsa >= environment.min_slsa
