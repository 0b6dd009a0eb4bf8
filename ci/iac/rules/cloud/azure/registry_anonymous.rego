# METADATA
# title: Nobody pulls images without a name
# custom:
#   id: VI-AZ-005
#   severity: high
#   theme: exposure
#   reference: "Microsoft Learn: Make your container registry content publicly available"
#   fix: >-
#     Take anonymous_pull_enabled (properties.anonymousPullEnabled) out.
#   settings:
#     azurerm_container_registry: {anonymous: anonymous_pull_enabled}
#     Microsoft.ContainerRegistry/registries: {anonymous: properties.anonymousPullEnabled}
package verdict.cloud.azure.registry_anonymous

import data.verdict.cloud.lib

found contains lib.at(input.anonymous, "anybody on the internet can pull all images of the registry") if {
	lib.is(input.anonymous, true)
}
