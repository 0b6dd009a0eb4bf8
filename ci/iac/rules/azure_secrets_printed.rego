# METADATA
# title: No secret is printed
# custom:
#   id: VP-AZP-007
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Take the line out. Hand the secret to the program that needs it by env: or its standard
#     input
package verdict.pipelines.azure.secrets_printed

import data.verdict.pipelines.lib

secret := `(?i)\$\((?:system\.accesstoken|[\w.-]*(?:password|passwd|secret|apikey|api_key|accesskey|privatekey|connectionstring|sastoken|_token|\.token|pat))\)`

found contains object.union(lib.of_step(step, c.at, sprintf("echo of a secret (%s)", [severity]), "a variable that is named as a secret is printed into the log of the run"), {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	regex.match(secret, s.text)
	some c in s.commands
	regex.match(secret, c.text)
	severity := how(c.text)
}

how(command) := "high" if lib.printed_disguised(command)

how(command) := "medium" if {
	lib.printed(command)
	not lib.printed_disguised(command)
}
