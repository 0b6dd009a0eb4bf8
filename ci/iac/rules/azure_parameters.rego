# METADATA
# title: No free text of a parameter in a script
# custom:
#   id: VP-AZP-002
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Write values: with what the parameter may be, or hand it over by env: with
#     VALUE: ${{ parameters.… }} and read "$VALUE" in the script
package verdict.pipelines.azure.parameters

import data.verdict.pipelines.lib

found contains object.union(lib.of_step(step, e.at, sprintf("%s: ${{ parameters }} of type string", [s.key]), sprintf(
	"%s is free text, and is put into the text of %s before it runs: whoever queues the run or uses the template executes what they like",
	[e.text, s.key],
)), {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	not endswith(s.key, "arguments") # what templates are for: told where a change writes it
	some e in s.expressions
	some c in e.contexts
	p := input.parameters[trim_prefix(c, "parameters.")]
	startswith(c, "parameters.")
	p.type == "string"
	not p.bounded
}

severity := "low" if input.kind == "template"

severity := "medium" if input.kind != "template"
