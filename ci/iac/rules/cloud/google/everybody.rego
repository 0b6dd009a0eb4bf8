# METADATA
# title: A resource is open to somebody in particular
# custom:
#   id: VI-GCP-001
#   severity: high
#   theme: exposure
#   reference: "Google Cloud: Domain restricted sharing, and Make data public"
#   fix: >-
#     Name the accounts or groups. A service that everybody is to reach gets a load balancer
#     with IAP or Cloud Armor in front of it.
#   settings:
#     google_pubsub_topic_iam_member: {who: member, role: role}
#     google_pubsub_topic_iam_binding: {who: members, role: role}
#     google_pubsub_subscription_iam_member: {who: member, role: role}
#     google_pubsub_subscription_iam_binding: {who: members, role: role}
#     google_kms_crypto_key_iam_member: {who: member, role: role}
#     google_kms_crypto_key_iam_binding: {who: members, role: role}
#     google_kms_key_ring_iam_member: {who: member, role: role}
#     google_kms_key_ring_iam_binding: {who: members, role: role}
#     google_secret_manager_secret_iam_member: {who: member, role: role}
#     google_secret_manager_secret_iam_binding: {who: members, role: role}
#     google_artifact_registry_repository_iam_member: {who: member, role: role}
#     google_artifact_registry_repository_iam_binding: {who: members, role: role}
#     google_service_account_iam_member: {who: member, role: role}
#     google_service_account_iam_binding: {who: members, role: role}
#     google_project_iam_member: {who: member, role: role}
#     google_project_iam_binding: {who: members, role: role}
#     google_folder_iam_member: {who: member, role: role}
#     google_folder_iam_binding: {who: members, role: role}
#     google_organization_iam_member: {who: member, role: role}
#     google_organization_iam_binding: {who: members, role: role}
#     google_bigquery_dataset_iam_member: {who: member, role: role}
#     google_bigquery_dataset_iam_binding: {who: members, role: role}
#     google_bigquery_table_iam_member: {who: member, role: role}
#     google_bigquery_table_iam_binding: {who: members, role: role}
#     google_compute_instance_iam_member: {who: member, role: role}
#     google_compute_instance_iam_binding: {who: members, role: role}
#     google_compute_image_iam_member: {who: member, role: role}
#     google_compute_image_iam_binding: {who: members, role: role}
#     google_cloud_run_service_iam_member: {who: member, role: role}
#     google_cloud_run_service_iam_binding: {who: members, role: role}
#     google_cloud_run_v2_service_iam_member: {who: member, role: role}
#     google_cloud_run_v2_service_iam_binding: {who: members, role: role}
#     google_cloudfunctions_function_iam_member: {who: member, role: role}
#     google_cloudfunctions_function_iam_binding: {who: members, role: role}
#     google_cloudfunctions2_function_iam_member: {who: member, role: role}
#     google_cloudfunctions2_function_iam_binding: {who: members, role: role}
#     google_spanner_database_iam_member: {who: member, role: role}
#     google_spanner_database_iam_binding: {who: members, role: role}
#     google_spanner_instance_iam_member: {who: member, role: role}
#     google_spanner_instance_iam_binding: {who: members, role: role}
#     google_sourcerepo_repository_iam_member: {who: member, role: role}
#     google_sourcerepo_repository_iam_binding: {who: members, role: role}
package verdict.cloud.google.everybody

import data.verdict.cloud.lib

found contains finding if {
	some who in lib.items(input.who)
	lib.is_one_of(who, {"allUsers", "allAuthenticatedUsers"})
	finding := graded(lib.at(who, "anybody on the internet has this role, or anybody who has an account at Google"))
}

# A web service may be meant for everybody.
graded(f) := lib.less(f, "medium") if regex.match(`^google_(cloud_run|cloudfunctions)`, input.type)

graded(f) := f if not regex.match(`^google_(cloud_run|cloudfunctions)`, input.type)
