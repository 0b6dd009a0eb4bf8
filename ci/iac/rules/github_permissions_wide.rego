# METADATA
# title: The right to write is given to the job that writes
# custom:
#   id: VP-GHA-006
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Write "permissions:" with "contents: read" above jobs:, and the scopes that write under
#     permissions: of the one job that needs them
package verdict.pipelines.github.permissions_wide

import data.verdict.pipelines.lib

found contains lib.of_workflow("permissions", input.permissions.at, sprintf("permissions: %s: write", [concat(", ", scopes)]), sprintf(
	"%s may be written by all of the jobs that say no permissions: of their own, which are %d (%s)",
	[concat(", ", scopes), count(jobs), concat(", ", array.slice(jobs, 0, 5))],
)) if {
	scopes := sort([s | some s, "write" in input.permissions.scopes])
	count(scopes) > 0
	jobs := [j.id | some j in input.jobs; not j.permissions]
	count(jobs) > 1
}
