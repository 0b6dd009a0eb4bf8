# METADATA
# title: A flexible server is reached by a private network
# custom:
#   id: VI-AZ-014
#   severity: medium
#   theme: exposure
#   reference: "Microsoft Learn: Networking overview for Azure Database for PostgreSQL with public access"
#   fix: >-
#     Set public_network_access_enabled = false (of MySQL public_network_access = "Disabled";
#     properties.network.publicNetworkAccess: Disabled) with a private endpoint, or give it a
#     delegated subnet.
#   settings:
#     azurerm_postgresql_flexible_server: {public: public_network_access_enabled, subnet: delegated_subnet_id}
#     azurerm_mysql_flexible_server: {public: [public_network_access, public_network_access_enabled], subnet: delegated_subnet_id}
#     Microsoft.DBforPostgreSQL/flexibleServers: {public: properties.network.publicNetworkAccess, subnet: properties.network.delegatedSubnetResourceId}
#     Microsoft.DBforMySQL/flexibleServers: {public: properties.network.publicNetworkAccess, subnet: properties.network.delegatedSubnetResourceId}
package verdict.cloud.azure.database_endpoint

import data.verdict.cloud.lib

found contains lib.at(input.public, "the server has an address on the internet, with only its firewall in front of it") if {
	lib.is_not(input.public, false)
	lib.is_not(input.public, "Disabled")
	lib.is_absent(input.subnet)
}
