# METADATA
# title: A storage account takes no account keys
# custom:
#   id: VI-AZ-006
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Prevent Shared Key authorization for an Azure Storage account"
#   fix: >-
#     Set shared_access_key_enabled = false (properties.allowSharedKeyAccess: false), and give
#     roles such as Storage Blob Data Reader.
#   settings:
#     azurerm_storage_account: {allowed: shared_access_key_enabled}
#     Microsoft.Storage/storageAccounts: {allowed: properties.allowSharedKeyAccess}
package verdict.cloud.azure.storage_keys

import data.verdict.cloud.lib

found contains lib.at(input.allowed, "whoever has the account's key may do everything with its data, under no name") if {
	lib.is_not(input.allowed, false)
}
