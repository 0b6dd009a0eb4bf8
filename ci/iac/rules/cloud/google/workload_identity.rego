# METADATA
# title: Pods have identities of their own
# custom:
#   id: VI-GCP-007
#   severity: medium
#   theme: identity
#   reference: "Google Cloud: Authenticate to Google Cloud APIs from GKE workloads"
#   fix: >-
#     Add workload_identity_config { workload_pool = "PROJECT.svc.id.goog" }.
#   settings:
#     google_container_cluster: {pool: [workload_identity_config.workload_pool, workload_identity_config.identity_namespace], autopilot: enable_autopilot}
package verdict.cloud.google.workload_identity

import data.verdict.cloud.lib

found contains lib.at(input.pool, "all pods act as the service account of their machine") if {
	lib.is_absent(input.pool)
	lib.is_not(input.autopilot, true)
}
