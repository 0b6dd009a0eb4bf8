# METADATA
# title: What goes to production was built at SLSA build level 2
# custom:
#   id: acme.gate.level
#   layer: deploy
#   effect: deny
#   severity: high
#   evidence: [provenance]
#   remediation: Build it on the hosted builder, and state its provenance.
#   owner: platform
package acme.gate.level

import data.verdict.rules.deploy
import input.artifact.provenance
import input.environment

# answer fails for items, passes where both facts are known, and skips otherwise.
check := deploy.answer({"environment": environment.state, "provenance": provenance.state}, items, {
	"fail": sprintf("it was built at level %d", [provenance.slsa]),
	"pass": "it was built at level 2, or does not go to production",
	"observed": {"slsa": provenance.slsa},
	"expected": {"slsa": 2},
})

items := [{"key": "level", "message": sprintf("SLSA build level %d", [provenance.slsa])}] if {
	environment.tier == "prod"
	provenance.slsa < 2
}

items := [] if provenance.slsa >= 2

items := [] if environment.tier != "prod"
