# METADATA
# title: No text of strangers is read as commands
# description: >-
#   A variable in quotes is safe in a script, and not in one that a shell reads once more:
#   eval "echo $TITLE" executes what the title says.
# custom:
#   id: VP-GHA-018
#   severity: high
#   formats: github-actions
#   fix: >-
#     Call the program itself with "$VALUE" in quotes; for sh -c write the script in single
#     quotes and hand the value over behind it: sh -c 'echo "$1"' _ "$VALUE"
package verdict.pipelines.github.evaluated

import data.verdict.pipelines.lib

found contains object.union(problem, {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	some c in s.commands
	some v in step.visible_env
	some context in v.contexts
	lib.untrusted(context)
	lib.evaluates(c.text, v.name)
	problem := lib.of_step(step, c.at, sprintf("evaluated: ${{ %s }}", [context]), sprintf("$%s holds what anybody can write (%s), and is read as commands here", [v.name, context]))
}

severity := "critical" if lib.privileged

severity := "high" if not lib.privileged
