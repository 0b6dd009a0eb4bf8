# METADATA
# title: The base image is young enough
# description: >-
#   Where the environment asks for an age, one that nobody knows is no good one.
# custom:
#   id: deploy.gate.base
#   effect: review
#   severity: medium
#   evidence: [image]
#   remediation: >-
#     Build anew on the current base image. Verdict reads its age from the annotations of the
#     image: verdict artifact record REF.
#   owner: platform
package verdict.rules.deploy.gate.base

import data.verdict.lib
import data.verdict.rules.deploy
import input.artifact.base
import input.environment

check := deploy.answer({"environment": environment.state, "base": base.state}, items, {
	"fail": "the base image is too old, or its age is not known",
	"pass": told,
	"observed": {"base": base.name, "known": base.age_seconds >= 0},
	"expected": {"max_base_age_seconds": environment.max_base_age_seconds},
})

items := [deploy.item("base:age", sprintf("its base image %s is %s old, and %s allows %d", [base.name, lib.counted(floor(base.age_seconds / 86400), "day", "days"), environment.name, floor(environment.max_base_age_seconds / 86400)]), "build anew on the current base image")] if {
	environment.max_base_age_seconds >= 0
	base.age_seconds > environment.max_base_age_seconds
}

items := [deploy.item("base:unknown", sprintf("nobody says how old its base image is (%s), and %s asks", [base.state, environment.name]), sprintf("record what the registry says of the image: verdict artifact record NAME@%s", [deploy.ref]))] if {
	environment.max_base_age_seconds >= 0
	base.age_seconds < 0
}

items := [] if {
	environment.max_base_age_seconds >= 0
	base.age_seconds >= 0
	base.age_seconds <= environment.max_base_age_seconds
	base.state in {"verified", "present"}
}

items := [deploy.item("base:unknown", sprintf("its base image is %s, and %s asks for its age", [base.state, environment.name]), sprintf("record what the registry says of the image: verdict artifact record NAME@%s", [deploy.ref]))] if {
	environment.max_base_age_seconds >= 0
	base.age_seconds >= 0
	base.age_seconds <= environment.max_base_age_seconds
	not base.state in {"verified", "present"}
	base.state != ""
}

items := [] if {
	environment.max_base_age_seconds < 0
	base.age_seconds >= -1
}

told := sprintf("any base image may run in %s", [environment.name]) if {
	environment.max_base_age_seconds < 0
} else := sprintf("the base image %s is young enough", [base.name])
