# METADATA
# title: The token of the checkout does not leave with the artifacts
# description: >-
#   actions/checkout leaves its token in .git/config, where an artifact of the whole
#   folder takes it along.
# custom:
#   id: VP-GHA-016
#   severity: medium
#   formats: github-actions
#   fix: >-
#     Write "persist-credentials: false" under with: of actions/checkout, and name under path: of
#     the upload the folder with the results
package verdict.pipelines.github.artifact

import data.verdict.pipelines.lib

found contains lib.of_step(upload, upload.uses.at, "upload of the workspace with persist-credentials", sprintf(
	"the whole folder is uploaded, and %s left the token of the run in it: who can read the artifact has it while the run lasts",
	[checkout.address],
)) if {
	some upload in input.steps
	upload.uses.name == "actions/upload-artifact"
	some p in split(upload["with"].path.text, "\n")
	trim_space(p) in whole
	some checkout in input.steps
	lib.after(checkout, upload)
	checkout.uses.name == "actions/checkout"
	object.get(checkout["with"], ["persist-credentials", "text"], "true") != "false"
	object.get(checkout["with"], ["path", "text"], "") in {"", "."}
	takes_hidden(upload)
}

whole := {".", "./", "*", "./*", "**", "./**", "${{ github.workspace }}", "${{github.workspace}}", "${{ github.workspace }}/"}

# From version 4.4 on hidden files are left out, unless the step asks for them.
takes_hidden(step) if object.get(step["with"], ["include-hidden-files", "text"], "false") == "true"

takes_hidden(step) if regex.match(`^v?[1-3](?:\.|$)|^v?4\.[0-3](?:\.|$)`, step.uses.ref)
