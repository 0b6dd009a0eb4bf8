# METADATA
# title: A registry has no account that all share
# custom:
#   id: VI-AZ-004
#   severity: high
#   theme: identity
#   reference: "Microsoft Learn: Azure Container Registry authentication options"
#   fix: >-
#     Take admin_enabled (properties.adminUserEnabled) out, and give pipelines and clusters the
#     roles AcrPush and AcrPull.
#   settings:
#     azurerm_container_registry: {admin: admin_enabled}
#     Microsoft.ContainerRegistry/registries: {admin: properties.adminUserEnabled}
package verdict.cloud.azure.registry_admin

import data.verdict.cloud.lib

found contains lib.at(input.admin, "the registry has an administrator with a password that all share: nobody can say who pushed an image") if {
	lib.is(input.admin, true)
}
