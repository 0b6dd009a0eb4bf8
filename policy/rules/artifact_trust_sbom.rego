# METADATA
# title: What is in it is known
# description: A bill of materials about this very digest is there, and names what is in it.
# custom:
#   id: artifact.trust.sbom
#   effect: deny
#   severity: medium
#   evidence: [sbom]
#   remediation: >-
#     Make the bill of materials from what was built, and record it about the digest: verdict
#     attest sbom FILE --subject NAME@sha256:….
#   owner: platform
package verdict.rules.artifact.trust.sbom

import data.verdict.lib
import input.artifact.sbom

check := {
	"status": "fail",
	"message": "the bill of materials names no component, and does not say that there is none",
	"observed": {"components": sbom.components, "inventory": sbom.inventory},
	"expected": "components, or a complete inventory without any",
	"items": [{
		"key": "empty",
		"message": sprintf("the bill of materials in %s names nothing", [sbom.format]),
		"path": "",
		"line": 0,
		"fix": "make it with a tool that reads what was built",
		"evidence": sbom.evidence,
	}],
} if {
	lib.stated(sbom)
	sbom.components == 0
	sbom.inventory != "complete"
} else := {
	"status": "pass",
	"message": sprintf("%s in %s", [lib.counted(sbom.components, "component", "components"), sbom.format]),
	"observed": {"components": sbom.components, "inventory": sbom.inventory},
	"expected": "components, or a complete inventory without any",
} if {
	lib.stated(sbom)
	sbom.components >= 0
	sbom.evidence
} else := lib.not_stated("the bill of materials", sbom)
