# METADATA
# title: The token of the checkout does not stay for every step
# custom:
#   id: VP-AZP-003
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Take persistCredentials out, and give the token to the one step that pushes: env: with
#     SYSTEM_ACCESSTOKEN: $(System.AccessToken); or write "pr: none"
package verdict.pipelines.azure.credentials

import data.verdict.pipelines.lib

found contains lib.of_step(step, step.at, "persistCredentials: true", "the checkout leaves its token in .git/config, where every later step can read it, and what a pull request brings runs in this pipeline as well") if {
	input.requests != "none"
	some step in input.steps
	step.persists_credentials
}
