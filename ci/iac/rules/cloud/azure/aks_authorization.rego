# METADATA
# title: Entra ID decides what a person may do in a cluster
# custom:
#   id: VI-AZ-002
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Use Azure role-based access control for Kubernetes authorization"
#   fix: >-
#     Add the block azure_active_directory_role_based_access_control with azure_rbac_enabled =
#     true (properties.aadProfile.enableAzureRBAC: true).
#   settings:
#     azurerm_kubernetes_cluster: {roles: azure_active_directory_role_based_access_control.azure_rbac_enabled, own: [role_based_access_control_enabled, role_based_access_control.enabled]}
#     Microsoft.ContainerService/managedClusters: {roles: properties.aadProfile.enableAzureRBAC}
package verdict.cloud.azure.aks_authorization

import data.verdict.cloud.lib

found contains lib.at(input.roles, "rights in the cluster are not given by roles of Azure, so that they are neither reviewed nor taken away with those of the person") if {
	lib.is_not(input.roles, true)
	not said_by_the_library
}

# Where the roles of Kubernetes are not asked for by name, the library says the same.
said_by_the_library if lib.is_not(input.own, true)
