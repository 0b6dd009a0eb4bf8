# METADATA
# title: A workflow says what its token may do
# description: >-
#   Without permissions: the token has what the repository gives by default, which is
#   often to write everything.
# custom:
#   id: VP-GHA-004
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Write "permissions: {}" above jobs:, or "permissions:" with "contents: read", and give each
#     job under its own permissions: what it needs beyond that
package verdict.pipelines.github.permissions

import data.verdict.pipelines.lib

# A workflow that only others call has at most what these have.
found contains lib.of_workflow("permissions", input.at, "", sprintf(
	"%d of its %d jobs run with the default token, because neither they nor the workflow say permissions:",
	[count(silent), count(input.jobs)],
)) if {
	input.kind == "workflow"
	not input.permissions
	count(silent) > 0
	some e, _ in input.events
	e != "workflow_call"
}

silent := [j.id | some j in input.jobs; not j.permissions]
