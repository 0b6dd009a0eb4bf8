# METADATA
# title: What reaches sensitive data from outside was looked at by a second person
# description: >-
#   Where the review of the change is verified, nobody is asked again: the summary of its source
#   says that somebody who had no hand in it agreed. Going back to a digest that was let in here
#   before asks nobody.
# custom:
#   id: deploy.gate.exposure
#   effect: review
#   severity: high
#   evidence: [environment, vsa]
#   remediation: >-
#     Have the change reviewed where it is made, so that it is verified when the artifact is
#     trusted (verdict ci, then verdict artifact trust); or have a person approve this release:
#     verdict approve ID.
#   owner: security
package verdict.rules.deploy.gate.exposure

import data.verdict.rules.deploy
import input.artifact.source
import input.environment

# weighty: the pairs of exposure and data for which one person is not enough.
weighty := {["internet", "restricted"], ["internet", "confidential"], ["partner", "restricted"]}

pair := [environment.exposure, environment.data]

# reviewed: yes, or why not.
reviewed := sprintf("what is known of its review is %s", [source.state]) if source.state != "verified"

reviewed := "nobody who had no hand in the change is known to have agreed to it" if {
	source.state == "verified"
	source.reviewed == false
}

reviewed := "yes" if {
	source.state == "verified"
	source.reviewed == true
}

# asks: whether the review of the change matters here at all.
asks if {
	pair in weighty
	input.rollback.requested == false
}

check := deploy.answer({"environment": environment.state, "rollback": input.rollback.state}, items, {
	"fail": sprintf("%s is reached from %s and holds %s data, and no second person is known to have looked at the change", [environment.name, environment.exposure, environment.data]),
	"pass": sprintf("a second person looked at the change before it reaches %s data from %s", [environment.data, environment.exposure]),
	"observed": observed,
	"expected": {"reviewed": true},
}) if {
	asks
} else := {
	"status": "skip",
	"message": sprintf("%s is reached from %q and holds %q data: no second person is asked for", [environment.name, environment.exposure, environment.data]),
	"observed": observed,
	"expected": {"reviewed": false},
} if {
	input.rollback.requested in {true, false}
	count([environment.state, input.rollback.state]) == 2
}

observed := {"exposure": environment.exposure, "data": environment.data, "reviewed": reviewed == "yes"}

items := [deploy.item(
	sprintf("exposure:%s/%s", pair),
	sprintf("%s data, reached from %s: %s", [environment.data, environment.exposure, reviewed]),
	"have the change reviewed where it is made, or approve this release",
)] if {
	reviewed != "yes"
}

items := [] if reviewed == "yes"
