# METADATA
# title: No token that may do everything
# custom:
#   id: VP-GHA-005
#   severity: high
#   formats: github-actions
#   fix: >-
#     Write under permissions: only the scopes that are used, such as "contents: read"
package verdict.pipelines.github.permissions_all

import data.verdict.pipelines.lib

found contains lib.of_workflow("permissions", input.permissions.at, "permissions: write-all", "every job of the workflow has a token that may write everything: releases, packages, branches, other workflows' runs") if {
	input.permissions.all == "write-all"
}

found contains lib.of_job(j, j.permissions.at, "permissions: write-all", sprintf("the job %s has a token that may write everything: releases, packages, branches, other workflows' runs", [j.id])) if {
	some j in input.jobs
	j.permissions.all == "write-all"
}
