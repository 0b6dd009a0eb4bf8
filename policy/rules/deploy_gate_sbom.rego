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

import data.verdict.lib
import data.verdict.rules.deploy
import input.artifact

check := deploy.answer({"artifact": artifact.state, "sbom": artifact.sbom.state}, items, {
	"fail": "the bill of materials does not hold all that is in the artifact",
	"pass": sprintf("the bill of materials holds %s; whether these are all, it calls %s", [lib.counted(artifact.sbom.components, "component", "components"), artifact.sbom.inventory]),
	"observed": {"inventory": artifact.sbom.inventory, "components": artifact.sbom.components},
	"expected": {"inventory": "complete"},
})

items := [deploy.item("sbom", "the bill of materials says of itself that it is not complete", "make it again with a tool that reads all of the artifact")] if {
	artifact.sbom.state in deploy.read
	artifact.sbom.inventory == "incomplete"
}

items := [deploy.item("sbom", "the bill of materials names nothing, and does not say that there is nothing", "make it again with a tool that reads the artifact")] if {
	artifact.sbom.state in deploy.read
	artifact.sbom.inventory == "unknown"
	artifact.sbom.components == 0
}

items := [] if {
	artifact.sbom.state in deploy.read
	artifact.sbom.inventory == "unknown"
	artifact.sbom.components > 0
}

items := [] if {
	artifact.sbom.state in deploy.read
	artifact.sbom.inventory == "complete"
}

items := [] if {
	artifact.sbom.state in deploy.unread
	artifact.sbom.inventory != null
}
