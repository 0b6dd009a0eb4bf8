# METADATA
# title: A SQL server knows identities of Entra ID only
# custom:
#   id: VI-AZ-012
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Microsoft Entra-only authentication with Azure SQL"
#   fix: >-
#     Set azuread_authentication_only = true in the block azuread_administrator
#     (properties.administrators.azureADOnlyAuthentication: true).
#   settings:
#     azurerm_mssql_server: {only: azuread_administrator.azuread_authentication_only}
#     azurerm_mssql_managed_instance: {only: azure_active_directory_administrator.azuread_authentication_only_enabled}
#     Microsoft.Sql/servers: {only: properties.administrators.azureADOnlyAuthentication}
#     Microsoft.Sql/managedInstances: {only: properties.administrators.azureADOnlyAuthentication}
package verdict.cloud.azure.sql_entra

import data.verdict.cloud.lib

# A managed instance of Terraform may be told by a resource of its own.
found contains lib.at(input.only, "the server takes names and passwords of its own, that Entra ID neither knows nor takes away") if {
	lib.is_not(input.only, true)
	not told_apart
}

told_apart if {
	input.type == "azurerm_mssql_managed_instance"
	lib.is_absent(input.only)
}
