# METADATA
# title: The token of the run goes to the step that needs it
# custom:
#   id: VP-AZP-004
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Take it out of variables:, and write it under env: of the one step:
#     SYSTEM_ACCESSTOKEN: $(System.AccessToken)
package verdict.pipelines.azure.token

import data.verdict.pipelines.lib

found contains {"type": v.level, "resource": v.address, "at": v.at, "cause": "variables: $(System.AccessToken)", "message": sprintf("the variable %s gives the token of the run to every step of the %s", [v.name, v.level])} if {
	some v in input.variables
	regex.match(`(?i)\$\(\s*system\.accesstoken\s*\)|variables\[\s*'system\.accesstoken'\s*\]`, v.text)
}
