# METADATA
# title: Roles decide who reads a key vault
# custom:
#   id: VI-AZ-008
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Azure role-based access control vs. access policies (legacy)"
#   fix: >-
#     Set rbac_authorization_enabled = true (properties.enableRbacAuthorization: true), and give
#     roles such as Key Vault Secrets User.
#   settings:
#     azurerm_key_vault: {roles: [rbac_authorization_enabled, enable_rbac_authorization]}
#     Microsoft.KeyVault/vaults: {roles: properties.enableRbacAuthorization, version: apiVersion}
package verdict.cloud.azure.vault_roles

import data.verdict.cloud.lib

message := "access policies decide who reads the vault: whoever may change it gives the right to himself"

found contains lib.at(input.roles, message) if lib.is(input.roles, false)

found contains lib.at(input.roles, message) if {
	lib.is_absent(input.roles)
	not roles_by_default
}

# From this version on a new vault takes roles.
roles_by_default if lib.text(input.version) >= "2026-02-01"
