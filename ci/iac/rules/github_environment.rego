# METADATA
# title: No text of strangers in GITHUB_ENV or GITHUB_PATH
# description: >-
#   A line break in the text sets a variable of its own, such as LD_PRELOAD or NODE_OPTIONS,
#   and the next step executes it.
# custom:
#   id: VP-GHA-013
#   severity: high
#   formats: github-actions
#   fix: >-
#     Write the value to "$GITHUB_OUTPUT" instead, and hand it to the step that needs it by
#     env: with VALUE: ${{ steps.….outputs.… }}
package verdict.pipelines.github.environment

import data.verdict.pipelines.lib

# What an expression puts into a script is told as an injection already.
found contains object.union(problem, {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	regex.match(`\bGITHUB_(?:ENV|PATH)\b`, s.text)
	some c in s.commands
	writes(s, c)
	some v in step.visible_env
	some context in v.contexts
	lib.untrusted(context)
	regex.match(`^[A-Za-z_]\w*$`, v.name)
	regex.match(sprintf(`\$(?:\{%s[}:#%%/]|%s\b|env:%s\b)`, [v.name, v.name, v.name]), c.text)
	problem := lib.of_step(step, c.at, sprintf("GITHUB_ENV from %s", [context]), sprintf("$%s holds what anybody can write (%s), and with a line break in it sets any variable of the steps after it", [v.name, context]))
}

severity := "critical" if lib.privileged

severity := "high" if not lib.privileged

writes(_, c) if regex.match(`\bGITHUB_(?:ENV|PATH)\b`, c.text)

# Between braces, of which the last one says where it goes.
writes(s, c) if {
	regex.match(`(?m)^\s*\}\s*(?:>|\|).*\bGITHUB_(?:ENV|PATH)\b`, s.text)
	regex.match(`^(?:echo|printf)\b`, c.text)
}
