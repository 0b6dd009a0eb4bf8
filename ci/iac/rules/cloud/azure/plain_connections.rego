# METADATA
# title: Caches, databases and storage accounts take no connection in the clear
# custom:
#   id: VI-AZ-015
#   severity: high
#   theme: encryption
#   reference: "Microsoft Learn: TLS in Azure Database for PostgreSQL flexible server, and Configure Azure Cache for Redis"
#   fix: >-
#     Take non_ssl_port_enabled (properties.enableNonSslPort) out, and leave
#     require_secure_transport ON and https_traffic_only_enabled true.
#   settings:
#     azurerm_redis_cache: {plain: [non_ssl_port_enabled, enable_non_ssl_port]}
#     Microsoft.Cache/redis: {plain: properties.enableNonSslPort}
#     azurerm_storage_account: {only_encrypted: https_traffic_only_enabled}
#     azurerm_postgresql_flexible_server_configuration: {name: name, value: value}
#     azurerm_mysql_flexible_server_configuration: {name: name, value: value}
#     Microsoft.DBforPostgreSQL/flexibleServers/configurations: {name: name, value: properties.value}
#     Microsoft.DBforMySQL/flexibleServers/configurations: {name: name, value: properties.value}
package verdict.cloud.azure.plain_connections

import data.verdict.cloud.lib

found contains lib.at(input.plain, "the cache takes connections in the clear: keys and data can be read on the way") if {
	lib.is(input.plain, true)
}

# The library knows the name that the setting had before version 4 of the provider, and the
# template's.
found contains lib.at(input.only_encrypted, "the account takes connections in the clear: keys and data can be read on the way") if {
	lib.is(input.only_encrypted, false)
}

found contains lib.at(input.value, "the server takes connections in the clear: passwords and data can be read on the way") if {
	regex.match(`(?i)(^|/|')require_secure_transport('|\)|$)`, lib.text(input.name))
	lib.is_one_of(input.value, {"OFF", "0", "false"})
}
