# METADATA
# title: No change of a stranger runs on a machine of one's own
# description: >-
#   In a public repository anybody opens a pull request, and what it brings stays on the
#   machine for the next run.
# custom:
#   id: VP-GHA-010
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Write "runs-on: ubuntu-24.04" for what pull requests start, or run it on machines that are
#     thrown away after one job, and let runs of strangers wait for an approval
package verdict.pipelines.github.runner

import data.verdict.pipelines.lib

found contains lib.of_job(j, j.runs_on.at, "runs-on: self-hosted", sprintf(
	"the job %s runs what a pull request brings on a runner of one's own",
	[j.id],
)) if {
	some e in ["pull_request", "pull_request_target"]
	input.events[e]
	some j in input.jobs
	some l in j.runs_on.labels
	lower(l) == "self-hosted"
	not j.never[e]
}
