# METADATA
# title: The artifact was built from the repository of the service
# custom:
#   id: deploy.gate.source
#   effect: deny
#   severity: high
#   evidence: [provenance]
#   remediation: >-
#     Promote what was built from the repository that the map declares for the service, or
#     correct repo: there.
#   owner: platform
package verdict.rules.deploy.gate.source

import data.verdict.rules.deploy
import input.artifact
import input.service

# address: a repository's, without what differs between the ways to write it.
address(text) := trim_suffix(trim_suffix(regex.replace(lower(text), `^(git\+)?([a-z]+://)?([^/@]*@)?`, ""), "/"), ".git")

check := deploy.answer({"service": service.state, "artifact": artifact.state, "provenance": artifact.provenance.state}, items, {
	"fail": "the artifact was built from another repository than the service's",
	"pass": told,
	"observed": {"source": artifact.provenance.source},
	"expected": {"source": service.repo},
})

items := [deploy.item("source", sprintf("it was built from %q, and the repository of %s is %q", [artifact.provenance.source, service.name, service.repo]), "check the name of the service: --service")] if {
	service.repo != ""
	artifact.provenance.state in deploy.read
	address(artifact.provenance.source) != address(service.repo)
}

items := [] if {
	service.repo != ""
	artifact.provenance.state in deploy.unread
	artifact.provenance.source != null
}

items := [] if {
	service.repo != ""
	artifact.provenance.state in deploy.read
	address(artifact.provenance.source) == address(service.repo)
}

items := [] if {
	service.repo == ""
	artifact.provenance.source != null
}

told := "the map names no repository of the service" if {
	service.repo == ""
} else := sprintf("it was built from %s", [service.repo])
