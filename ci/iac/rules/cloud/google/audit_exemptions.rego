# METADATA
# title: Nobody is left out of the audit logs, and sinks are on
# custom:
#   id: VI-GCP-005
#   severity: medium
#   theme: logging
#   reference: "Google Cloud: Enable Data Access audit logs"
#   fix: >-
#     Take exempted_members and disabled out.
#   settings:
#     google_project_iam_audit_config: {configs: audit_log_config}
#     google_folder_iam_audit_config: {configs: audit_log_config}
#     google_organization_iam_audit_config: {configs: audit_log_config}
#     google_logging_project_sink: {disabled: disabled}
#     google_logging_folder_sink: {disabled: disabled}
#     google_logging_organization_sink: {disabled: disabled}
package verdict.cloud.google.audit_exemptions

import data.verdict.cloud.lib

found contains lib.at(who, "what this account reads and changes is not recorded") if {
	some config in lib.items(input.configs)
	some who in lib.items(lib.member(config, "exempted_members"))
	who.state == "value"
}

found contains lib.at(input.disabled, "the sink is there and hands on nothing") if lib.is(input.disabled, true)
