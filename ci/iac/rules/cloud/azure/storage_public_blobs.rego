# METADATA
# title: No container of a storage account can be made public
# custom:
#   id: VI-AZ-007
#   severity: medium
#   theme: exposure
#   reference: "Microsoft Learn: Remediate anonymous read access to blob data"
#   fix: >-
#     Set allow_nested_items_to_be_public = false (properties.allowBlobPublicAccess: false).
#   settings:
#     azurerm_storage_account: {nested: allow_nested_items_to_be_public, old: allow_blob_public_access}
#     Microsoft.Storage/storageAccounts: {blobs: properties.allowBlobPublicAccess}
package verdict.cloud.azure.storage_public_blobs

import data.verdict.cloud.lib

message := "whoever may change a container can open it to everybody without a name"

# The provider of Terraform asks for it unless it is told not to, and Azure does not.
found contains lib.at(input.nested, message) if {
	lib.is_absent(input.old)
	lib.is_not(input.nested, false)
}

found contains lib.at(input.old, message) if lib.is(input.old, true)

found contains lib.at(input.blobs, message) if lib.is(input.blobs, true)
