# METADATA
# title: No free text of an input in a script
# description: >-
#   Whoever calls the workflow or action writes the input. One that takes the title of a
#   pull request from its caller executes it.
# custom:
#   id: VP-GHA-002
#   severity: low
#   formats: github-actions
#   fix: >-
#     Write env: with VALUE: ${{ inputs.… }} in the step and "$VALUE" in the script
package verdict.pipelines.github.inputs

import data.verdict.pipelines.lib

found contains lib.of_step(step, e.at, sprintf("%s: ${{ inputs }} of type string", [s.key]), sprintf(
	"%s is free text, and is put into the text of %s before it runs: whatever the caller hands over is executed",
	[e.text, s.key],
)) if {
	some step in input.steps
	some s in step.scripts
	some e in s.expressions
	not strange(e)
	some c in e.contexts
	free(c)
}

strange(e) if {
	some c in e.contexts
	lib.untrusted(c)
}

free(c) if {
	name := trim_prefix(trim_prefix(c, "github.event."), "inputs.")
	c in {concat("", ["inputs.", name]), concat("", ["github.event.inputs.", name])}
	input.inputs[name] == "string"
}
