# METADATA
# title: No name or message of a change is read as commands
# custom:
#   id: VP-AZP-010
#   severity: high
#   formats: azure-pipelines
#   fix: >-
#     Call the program itself with the variable in quotes; for sh -c write the script in single
#     quotes and hand the value over behind it: sh -c 'echo "$1"' _ "$BUILD_SOURCEVERSIONMESSAGE"
package verdict.pipelines.azure.evaluated

import data.verdict.pipelines.azure.injection
import data.verdict.pipelines.lib

found contains object.union(lib.of_step(step, c.at, sprintf("evaluated: %s", [name]), sprintf("$%s is what whoever makes the change writes, and is read as commands here", [variable])), {"severity": severity}) if {
	some step in input.steps
	some s in step.scripts
	some c in s.commands
	some name, severity in injection.written
	variable := upper(replace(name, ".", "_"))
	lib.evaluates(c.text, variable)
}
