# METADATA
# title: What is in the artifact is known
# custom:
#   id: deploy.gate.sbom
#   effect: deny
#   severity: high
#   evidence: [sbom]
#   remediation: >-
#     Record a bill of materials of this digest: verdict attest sbom FILE --subject REF. It
#     has to say that it is complete, or come from a tool that reads all of it.
#   owner: appsec
package verdict.rules.deploy.gate.sbom

import data.verdict.rules.deploy
import input.artifact

check := deploy.answer({"artifact": artifact.state, "sbom": artifact.sbom.state}, items, {
	"fail": "the bill of materials does not hold all that is in the artifact",
	"pass": sprintf("the bill of materials holds %d components", [artifact.sbom.components]),
	"observed": {"complete": artifact.sbom.complete, "components": artifact.sbom.components},
	"expected": {"complete": true},
})

items := [deploy.item("sbom", "the bill of materials says of itself that it is not complete, or names no component", "make it again with a tool that reads all of the artifact")] if artifact.sbom.complete == false

items := [] if artifact.sbom.complete == true
