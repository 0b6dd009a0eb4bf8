# METADATA
# title: A service account has no key
# custom:
#   id: VI-GCP-003
#   severity: medium
#   theme: identity
#   reference: "Google Cloud: Best practices for managing service account keys"
#   fix: >-
#     Attach the service account to the workload, or take Workload Identity Federation from
#     outside.
#   settings:
#     google_service_account_key: {}
package verdict.cloud.google.account_keys

found contains {"message": "the service account has a key, which works from anywhere for good and whose secret stands in the state of Terraform"}
