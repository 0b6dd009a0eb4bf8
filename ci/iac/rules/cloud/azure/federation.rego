# METADATA
# title: A federated credential is for one environment or branch
# custom:
#   id: VI-AZ-009
#   severity: high
#   theme: identity
#   reference: "Microsoft Learn: Workload identity federation, and Flexible federated identity credentials"
#   fix: >-
#     Name the environment or the protected branch in the subject:
#     repo:shop/api:environment:production. Give plans of pull requests an identity of their own
#     that only reads.
#   settings:
#     azurerm_federated_identity_credential: {subject: subject}
#     azuread_application_federated_identity_credential: {subject: subject}
#     azuread_application_flexible_federated_identity_credential: {claims: claims_matching_expression}
#     Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials: {subject: properties.subject, claims: properties.claimsMatchingExpression.value}
package verdict.cloud.azure.federation

import data.verdict.cloud.lib

found contains lib.less(lib.at(input.subject, "any pull request of the repository gets the identity, before anybody has looked at it"), "medium") if {
	endswith(lib.text(input.subject), ":pull_request")
}

found contains lib.at(input.claims, "any repository of an organisation gets the identity") if {
	regex.match(`(?i)['"](\*|repo:[^/'"]*\*|repo:[^/'":]+/\*|project_path:[^/'"]+/\*|organization:\*)`, lib.text(input.claims))
}
