# METADATA
# title: Nobody has a key that is valid for good
# custom:
#   id: VI-OCI-006
#   severity: medium
#   theme: identity
#   reference: "Oracle Cloud Infrastructure: Calling services from an instance"
#   fix: >-
#     Take instance or resource principals, and workload identity of OKE.
#   settings:
#     oci_identity_api_key: {}
#     oci_identity_auth_token: {}
#     oci_identity_customer_secret_key: {}
package verdict.cloud.oracle.credentials

found contains {"message": "the user has a credential that works from anywhere until somebody takes it away"}
