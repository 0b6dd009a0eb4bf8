# METADATA
# title: Data services take identities and no keys
# custom:
#   id: VI-AZ-016
#   severity: medium
#   theme: identity
#   reference: "Microsoft Learn: Azure Policy built-in definitions, local authentication methods should be disabled"
#   fix: >-
#     Set local_authentication_disabled = true of Cosmos DB, local_auth_enabled or
#     local_authentication_enabled = false of the others (properties.disableLocalAuth: true),
#     and give roles.
#   settings:
#     azurerm_cosmosdb_account: {disabled: local_authentication_disabled, enabled: local_authentication_enabled, kind: kind, api: capabilities}
#     azurerm_servicebus_namespace: {allowed: [local_auth_enabled, local_authentication_enabled]}
#     azurerm_eventhub_namespace: {allowed: [local_authentication_enabled, local_auth_enabled]}
#     azurerm_cognitive_account: {allowed: [local_auth_enabled, local_authentication_enabled]}
#     azurerm_app_configuration: {allowed: [local_auth_enabled, local_authentication_enabled]}
#     Microsoft.DocumentDB/databaseAccounts: {disabled: properties.disableLocalAuth, kind: kind, api: properties.capabilities}
#     Microsoft.ServiceBus/namespaces: {denied: properties.disableLocalAuth}
#     Microsoft.EventHub/namespaces: {denied: properties.disableLocalAuth}
#     Microsoft.CognitiveServices/accounts: {denied: properties.disableLocalAuth}
#     Microsoft.AppConfiguration/configurationStores: {denied: properties.disableLocalAuth}
package verdict.cloud.azure.service_keys

import data.verdict.cloud.lib

message := "whoever has one of its keys may do everything with its data, under no name"

found contains lib.at(input.allowed, message) if lib.is_not(input.allowed, false)

found contains lib.at(input.denied, message) if lib.is_not(input.denied, true)

# Cosmos DB for MongoDB, Cassandra and Gremlin knows nothing else.
found contains lib.at(input.disabled, message) if {
	lib.is_not(input.disabled, true)
	lib.is_not(input.kind, "MongoDB")
	not lib.is(input.enabled, false)
	input.enabled.state != "unknown"
	not by_keys_only
}

by_keys_only if {
	some c in lib.items(input.api)
	lib.is_one_of(lib.member(c, "name"), {"EnableMongo", "EnableCassandra", "EnableGremlin"})
}
