# METADATA
# title: A cluster has no local accounts
# custom:
#   id: VI-AZ-001
#   severity: high
#   theme: identity
#   reference: "Microsoft Learn: Manage local accounts with AKS-managed Microsoft Entra integration"
#   fix: >-
#     Set local_account_disabled = true (properties.disableLocalAccounts: true), with Entra ID
#     for who may use the cluster.
#   settings:
#     azurerm_kubernetes_cluster: {disabled: local_account_disabled}
#     Microsoft.ContainerService/managedClusters: {disabled: properties.disableLocalAccounts}
package verdict.cloud.azure.aks_accounts

import data.verdict.cloud.lib

found contains lib.at(input.disabled, "the cluster has local accounts: whoever has their certificate is its administrator, and Entra ID knows nothing of it") if {
	lib.is_not(input.disabled, true)
}
