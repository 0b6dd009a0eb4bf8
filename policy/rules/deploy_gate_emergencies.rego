# METADATA
# title: Every emergency was looked at afterwards
# custom:
#   id: deploy.gate.emergencies
#   effect: deny
#   severity: high
#   evidence: [break-glass]
#   remediation: >-
#     Have a person who did not break the glass look at what was done, and record it: verdict
#     break-glass review ID.
#   owner: security
package verdict.rules.deploy.gate.emergencies

import data.verdict.lib
import data.verdict.rules.deploy
import input.break_glass

overdue := list if {
	list := [{"id": x.id, "incident": x.incident, "by": x.by, "due": x.review_by, "evidence": x.evidence} | some x in break_glass.overdue]
	count(list) == count(break_glass.overdue)
}

check := deploy.answer({"break_glass": break_glass.state}, items, {
	"fail": lib.counted(count(overdue), "emergency of the service was not looked at in time", "emergencies of the service were not looked at in time"),
	"pass": "no emergency of the service waits for its review",
	"observed": {"overdue": count(overdue)},
	"expected": {"overdue": 0},
})

items := [{"key": sprintf("break-glass:%s", [x.id]), "message": sprintf("%s broke the glass for %s, and it was to be reviewed by %s", [x.by, x.incident, x.due]), "fix": sprintf("verdict break-glass review %s --rationale TEXT --as KEY", [x.id]), "evidence": x.evidence} | some x in overdue]
