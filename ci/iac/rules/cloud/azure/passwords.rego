# METADATA
# title: An application proves itself without a password
# custom:
#   id: VI-AZ-011
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Workload identity federation"
#   fix: >-
#     Take a federated credential (azuread_application_federated_identity_credential) or a
#     managed identity in its place.
#   settings:
#     azuread_application_password: {}
#     azuread_service_principal_password: {}
package verdict.cloud.azure.passwords

found contains {"message": "the application has a password, which stands in the state of Terraform and works from anywhere until it expires"}
