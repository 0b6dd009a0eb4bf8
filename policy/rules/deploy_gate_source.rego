# METADATA
# title: The artifact was built from the repository of the service
# custom:
#   id: deploy.gate.source
#   effect: deny
#   severity: high
#   evidence: [provenance]
#   remediation: >-
#     Promote what was built from the repository that the map declares for the service, or
#     correct repo: there; a builder that may build from others lists them under sources:.
#   owner: platform
package verdict.rules.deploy.gate.source

import data.verdict.rules.deploy
import input.artifact
import input.service

check := deploy.answer({"service": service.state, "artifact": artifact.state, "provenance": artifact.provenance.state}, items, {
	"fail": "the artifact was built from another repository than the service's",
	"pass": told,
	"observed": {"source": artifact.provenance.source},
	"expected": {"source": service.repo},
})

items := [deploy.item("source", sprintf("it was built from %q, and the repository of %s is %q", [artifact.provenance.source, service.name, service.repo]), "check the name of the service: --service")] if {
	service.repo != ""
	artifact.provenance.state in deploy.read
	artifact.provenance.own == false
}

items := [] if {
	service.repo != ""
	artifact.provenance.state in deploy.unread
	artifact.provenance.source != null
}

items := [] if {
	service.repo != ""
	artifact.provenance.state in deploy.read
	artifact.provenance.own == true
}

items := [] if {
	service.repo == ""
	artifact.provenance.source != null
}

told := "the map names no repository of the service" if {
	service.repo == ""
} else := sprintf("it was built from %s", [artifact.provenance.source])
