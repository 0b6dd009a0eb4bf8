# METADATA
# title: What reaches a region can be taken back
# custom:
#   id: deploy.gate.blast
#   effect: review
#   severity: high
#   evidence: [deployment]
#   remediation: >-
#     Practise going back in this environment, and state it: verdict attest deployment, with
#     rollback: true. Until then a person approves.
#   owner: platform
package verdict.rules.deploy.gate.blast

import data.verdict.rules.deploy
import input.environment
import input.rollback

check := deploy.answer({"environment": environment.state, "rollback": rollback.state}, items, {
	"fail": "nobody has shown that going back works here",
	"pass": told,
	"observed": {"blast_radius": environment.blast_radius, "rollback": environment.rollback, "tested": rollback.tested_at != ""},
	"expected": {"tested": true},
})

binds if environment.blast_radius in {"regional", "global"}

binds if environment.rollback == "tested"

items := [deploy.item("rollback:tested", sprintf("%s has the blast radius %q and asks for %q rollback, and no going back was ever stated here", [environment.name, environment.blast_radius, environment.rollback]), "practise it once, and state the deployment with rollback: true")] if {
	binds
	rollback.tested_at == ""
	rollback.requested == false
}

items := [] if {
	binds
	rollback.tested_at != ""
	rollback.requested == false
}

items := [] if {
	binds
	rollback.requested == true
}

items := [] if not binds

told := "what is changed here reaches one service, or going back was shown to work" if environment.blast_radius != null
