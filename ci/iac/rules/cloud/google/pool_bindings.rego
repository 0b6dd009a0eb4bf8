# METADATA
# title: A service account trusts named repositories of a workload pool
# custom:
#   id: VI-GCP-002
#   severity: high
#   theme: identity
#   reference: "Google Cloud: Configure Workload Identity Federation with deployment pipelines"
#   fix: >-
#     Bind principalSet://…/attribute.repository/ORG/REPO, or a principal://…/subject/…
#   settings:
#     google_service_account_iam_member: {who: member, role: role}
#     google_service_account_iam_binding: {who: members, role: role}
package verdict.cloud.google.pool_bindings

import data.verdict.cloud.lib

found contains lib.at(who, "whatever the workload pool lets in may act as the service account: any repository of any organisation, if the pool does not say otherwise") if {
	lib.is_one_of(input.role, {"roles/iam.workloadIdentityUser", "roles/iam.serviceAccountTokenCreator", "roles/iam.serviceAccountOpenIdTokenCreator"})
	some who in lib.items(input.who)
	regex.match(`^principalSet://iam\.googleapis\.com/.*/\*$`, lib.text(who))
}
