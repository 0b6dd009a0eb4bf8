# METADATA
# title: No text of strangers in a script
# description: >-
#   What stands in an expression is put into the script before the shell reads it: a title
#   with `"; curl …` in it is a command.
# custom:
#   id: VP-GHA-001
#   severity: high
#   formats: github-actions
#   fix: >-
#     Hand the value over by a variable: write env: with VALUE: ${{ … }} in the step, and
#     "$VALUE" in the script
package verdict.pipelines.github.injection

import data.verdict.pipelines.lib

found contains object.union(problem, {"severity": severity, "fix": fix(s, e)}) if {
	some step in input.steps
	some s in step.scripts
	some e in s.expressions
	strangers := [c | some c in e.contexts; lib.untrusted(c)]
	count(strangers) > 0
	problem := lib.of_step(step, e.at, cause(s, e, strangers), sprintf(
		"%s is put into the text of %s before it runs, and %s is what anybody can write: it is executed",
		[e.text, s.key, strangers[0]],
	))
}

severity := "critical" if lib.privileged

severity := "high" if not lib.privileged

# Through env, inputs or the output of a job the name is the author's own.
cause(s, e, strangers) := sprintf("%s: ${{ %s }}", [s.key, strangers[0]])

fix(s, e) := sprintf("Write env: with VALUE: %s in the step, and process.env.VALUE instead of it in the script", [e.text]) if s.key == "with.script"

fix(s, e) := sprintf("Write env: with VALUE: %s in the step, and \"$VALUE\" (in quotes) instead of it in the script", [e.text]) if s.key == "run"

fix(s, e) := sprintf("Hand %s over by env: or by an input that is not executed, and read it there in the script", [e.text]) if not s.key in {"run", "with.script"}
