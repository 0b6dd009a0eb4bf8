# METADATA
# title: A trusted builder made the artifact from checked source
# description: >-
#   The decision of artifact.trust travels with the digest: its risk is not weighed again
#   here. One that is missing or expired is told by the need for it.
# custom:
#   id: deploy.gate.trusted
#   effect: deny
#   severity: critical
#   evidence: [vsa]
#   remediation: >-
#     Decide what the artifact is first: verdict artifact trust REF. Its answer names what is
#     missing.
#   owner: platform
package verdict.rules.deploy.gate.trusted

import data.verdict.rules.deploy
import input.artifact
import input.subject

check := deploy.answer({"artifact": artifact.state}, items, {
	"fail": "the artifact is not trusted: what was decided about it speaks against it",
	"pass": "the artifact is trusted",
	"observed": {"trust": artifact.state},
	"expected": {"trust": "verified"},
})

items := [deploy.item(sprintf("trust:%s", [subject.digest]), sprintf("artifact.trust did not allow %s", [subject.digest]), sprintf("verdict artifact trust %s says why", [subject.digest]))] if artifact.state == "failed"

items := [] if artifact.state != "failed"
