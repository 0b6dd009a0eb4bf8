# METADATA
# title: No name or message of a change is read as commands
# description: >-
#   A variable in quotes is safe in a script, and not in one that a shell reads once more:
#   ssh host "deploy $CI_COMMIT_TITLE" executes there what the title says.
# custom:
#   id: VP-GLC-005
#   severity: high
#   formats: gitlab-ci
#   fix: >-
#     Call the program itself with the variable in quotes, take $CI_COMMIT_REF_SLUG or
#     $CI_COMMIT_SHA, or hand it over behind a script in single quotes:
#     sh -c 'echo "$1"' _ "$CI_COMMIT_TITLE"
package verdict.pipelines.gitlab.evaluated

import data.verdict.pipelines.lib

# What needs the right to push to this repository is less bad than what needs none.
written := {
	"CI_COMMIT_MESSAGE": "high", "CI_COMMIT_TITLE": "high", "CI_COMMIT_DESCRIPTION": "high", "CI_COMMIT_AUTHOR": "high",
	"CI_MERGE_REQUEST_TITLE": "high", "CI_MERGE_REQUEST_DESCRIPTION": "high", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME": "high",
	"CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME": "high",
	"CI_COMMIT_REF_NAME": "medium", "CI_COMMIT_BRANCH": "medium", "CI_COMMIT_TAG_MESSAGE": "medium",
}

# A variable of the file that is made of such a one.
named(job) := object.union({name: name | some name, _ in written}, {v.name: name |
	some v in array.concat(input.variables, of(job))
	some name, _ in written
	regex.match(concat("", [`\$\{?`, name, `(?:\W|$)`]), v.text)
})

of(job) := [v | some j in input.jobs; j.id == job; some v in j.variables]

found contains object.union(lib.of_step(step, c.at, sprintf("evaluated: %s", [name]), sprintf("$%s is what whoever makes the change writes, and is read as commands here", [variable])), {"severity": written[name]}) if {
	some step in input.steps
	some s in step.scripts
	regex.match(lib.rereads, s.text)
	some variable, name in named(step.job)
	some c in s.commands
	lib.evaluates(c.text, variable)
}
