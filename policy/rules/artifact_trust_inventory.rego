# METADATA
# title: The bill of materials says that it is complete
# description: What a bill does not say to be all may be a part, and what it leaves out nobody finds later.
# custom:
#   id: artifact.trust.inventory
#   effect: note
#   severity: low
#   evidence: [sbom]
#   remediation: >-
#     Have the tool that writes the bill state its completeness (CycloneDX: compositions with the
#     aggregate complete for the root).
#   owner: platform
package verdict.rules.artifact.trust.inventory

import data.verdict.lib
import input.artifact.sbom

check := {
	"status": "pass",
	"message": "the bill of materials says that it is complete",
	"observed": {"inventory": sbom.inventory},
	"expected": {"inventory": "complete"},
} if {
	lib.stated(sbom)
	sbom.inventory == "complete"
} else := {
	"status": "fail",
	"message": sprintf("the bill of materials is %s by its own word", [{"incomplete": "not complete", "unknown": "of unknown completeness"}[sbom.inventory]]),
	"observed": {"inventory": sbom.inventory},
	"expected": {"inventory": "complete"},
	"items": [{
		"key": sprintf("inventory:%s", [sbom.inventory]),
		"message": "components that it does not name are found by nobody later",
		"path": "",
		"line": 0,
		"fix": "have the tool state its completeness",
		"evidence": sbom.evidence,
	}],
} if {
	lib.stated(sbom)
} else := lib.not_stated("the bill of materials", sbom)
