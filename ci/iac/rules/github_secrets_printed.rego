# METADATA
# title: No secret is printed
# description: >-
#   The runner covers a secret in the log only where it stands there as it is; parts and
#   other forms of it stay readable, for everybody who can read the log.
# custom:
#   id: VP-GHA-007
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Take the line out. Hand the secret to the program that needs it by env:, or by its
#     standard input: printf '%s' "$TOKEN" | program --password-stdin
package verdict.pipelines.github.secrets_printed

import data.verdict.pipelines.lib

found contains object.union(problem, {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	s.key == "run"
	regex.match(`(?i)\b(?:echo|printf|write-host|write-output)\b`, s.text)
	some c in s.commands
	shows(step, c.text)
	severity := how(c.text)
	problem := lib.of_step(step, c.at, sprintf("echo of a secret (%s)", [severity]), "a secret is printed into the log of the run")
}

how(command) := "high" if lib.printed_disguised(command)

how(command) := "medium" if {
	lib.printed(command)
	not lib.printed_disguised(command)
}

shows(_, command) if regex.match(`\$\{\{\s*(?:secrets\s*(?:\.\s*[\w-]+|\[[^\]]*\])|github\s*\.\s*token)\s*\}\}`, command)

shows(step, command) if {
	some v in step.visible_env
	some c in v.contexts
	secret(c)
	regex.match(sprintf(`\$(?:\{%s\}|%s\b|env:%s\b)`, [v.name, v.name, v.name]), command)
	regex.match(`^[A-Za-z_]\w*$`, v.name)
}

secret(c) if startswith(c, "secrets.")

secret("github.token")
