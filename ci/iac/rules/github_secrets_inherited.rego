# METADATA
# title: A foreign workflow gets no secret that it was not given
# custom:
#   id: VP-GHA-009
#   severity: high
#   formats: github-actions
#   fix: >-
#     Name under secrets: the ones that the workflow needs, and write the commit (40
#     hexadecimal digits) behind the @ of uses:
package verdict.pipelines.github.secrets_inherited

import data.verdict.pipelines.lib

found contains lib.of_job(j, j.uses.at, "secrets: inherit", sprintf(
	"%s gets every secret of this repository, and whoever can move %s there gets them",
	[j.uses.name, j.uses.ref],
)) if {
	some j in input.jobs
	j.inherits_secrets
	j.uses.kind == "action"
	not j.uses.pinned
}
