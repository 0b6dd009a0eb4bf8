# METADATA
# title: What the rules about infrastructure code share
package verdict.rules.ci.iac

import data.verdict.lib
import input.checks.iac

# unreadable: the detector of files that cannot be what they claim to be.
unreadable := "invalid"

# lesser: what may be better otherwise, and is no proof that something is unsafe. Every
# other severity, one that is not known among them, is for the rule "forbidden".
lesser := {"medium", "low"}

# of: the hits that one rule judges.
of("valid") := [hit | some hit in iac.failed; hit.detector == unreadable]

of("forbidden") := [hit | some hit in iac.failed; hit.detector != unreadable; not hit.severity in lesser]

of("advised") := [hit | some hit in iac.failed; hit.detector != unreadable; hit.severity in lesser]

# read: every hit says which detector it is of and how bad it is, so that none is passed
# over.
read if {
	marks := [[hit.detector, hit.severity] | some hit in iac.failed]
	count(marks) == count(iac.failed)
}

# failing, clean and not_judged: the three things that a rule can say.
failing(hits, one, many) := {
	"status": "fail",
	"message": lib.counted(count(hits), one, many),
	"observed": {"found": count(hits), "ignored": iac.ignored},
	"expected": {"found": 0},
	"items": lib.items(hits),
}

clean(message) := {
	"status": "pass",
	"message": sprintf("%s in %s", [message, lib.counted(iac.inputs, "file", "files")]),
	"observed": {"found": 0, "ignored": iac.ignored},
	"expected": {"found": 0},
}

not_judged := lib.not_judged("infrastructure code", iac)
