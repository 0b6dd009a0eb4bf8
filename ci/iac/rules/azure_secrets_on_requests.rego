# METADATA
# title: No secrets where a pull request runs
# custom:
#   id: VP-AZP-005
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Put the group behind "- ${{ if ne(variables['Build.Reason'], 'PullRequest') }}:", or into a
#     pipeline of its own with "pr: none"
package verdict.pipelines.azure.secrets_on_requests

import data.verdict.pipelines.lib

groups := [v | some v in input.variables; v.group != ""; not v.guarded; v.level != "job"]

found contains {"type": v.level, "resource": v.address, "at": v.at, "cause": "pr: with variables: group", "message": sprintf("the pipeline is started by pull requests, and each of their runs has the group %s", [v.group])} if {
	input.requests == "on"
	not foreign
	some v in groups
}

# What another repository brings is executed beside the group.
foreign := [step | some step in input.steps; not lower(step.checkout) in {"", "self", "none"}] if {
	some step in input.steps
	not lower(step.checkout) in {"", "self", "none"}
}

found contains object.union(lib.of_step(step, step.at, "pr: with variables: group and a foreign checkout", sprintf("the pipeline is started by pull requests, takes in another repository (%s), and has the group %s", [step.checkout, groups[0].group])), {"severity": "high"}) if {
	input.requests == "on"
	count(groups) > 0
	some step in foreign
}
