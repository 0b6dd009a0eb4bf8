# METADATA
# title: No name or message of a change in a script
# description: >-
#   $(Build.SourceVersionMessage) is put into the script before the shell reads it: a
#   message with `"; curl …` in it is a command.
# custom:
#   id: VP-AZP-001
#   severity: high
#   formats: azure-pipelines
#   fix: >-
#     Read the variable of the environment in quotes instead: "$BUILD_SOURCEVERSIONMESSAGE" in
#     bash, $env:BUILD_SOURCEVERSIONMESSAGE in PowerShell
package verdict.pipelines.azure.injection

import data.verdict.pipelines.lib

# What needs the right to push to this repository is less bad than what needs none.
written := {
	"build.sourceversionmessage": "high", "system.pullrequest.sourcebranch": "high", "build.sourceversionauthor": "high",
	"build.sourcebranchname": "medium", "build.sourcebranch": "medium", "system.pullrequest.sourcecommitmessage": "high",
	"system.pullrequest.sourcebranchname": "high",
}

# Through variables and parameters the name is the author's own.
found contains object.union(lib.of_step(step, m.at, sprintf("%s: $(%s)", [s.key, name]), message(m.text, s)), {"severity": severity, "fix": fix(name)}) if {
	some step in input.steps
	some s in step.scripts
	some m in s.macros
	some c in m.contexts
	name := trim_prefix(c, "variables.")
	severity := written[name]
}

found contains object.union(lib.of_step(step, e.at, sprintf("%s: ${{ %s }}", [s.key, c]), message(e.text, s)), {"severity": severity, "fix": fix(name)}) if {
	some step in input.steps
	some s in step.scripts
	some e in s.expressions
	some c in e.contexts
	name := trim_prefix(c, "variables.")
	severity := written[name]
}

message(text, s) := sprintf("%s is put into the text of %s before it runs, and whoever makes the change writes it: it is executed", [text, s.key])

fix(name) := sprintf("Read \"$%s\" (bash, in quotes) or $env:%s (PowerShell) instead: the agent hands it over by the environment", [variable, variable]) if {
	variable := upper(replace(name, ".", "_"))
}
