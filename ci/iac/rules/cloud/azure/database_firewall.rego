# METADATA
# title: The firewall of a database names networks
# custom:
#   id: VI-AZ-013
#   severity: high
#   theme: network
#   reference: "Microsoft Learn: Firewall rules in Azure Database for PostgreSQL flexible server"
#   fix: >-
#     Name the addresses that need it, or reach the server by a private endpoint.
#   settings:
#     azurerm_postgresql_flexible_server_firewall_rule: {from: start_ip_address, to: end_ip_address}
#     azurerm_mysql_flexible_server_firewall_rule: {from: start_ip_address, to: end_ip_address}
#     azurerm_redis_firewall_rule: {from: start_ip, to: end_ip}
#     Microsoft.DBforPostgreSQL/flexibleServers/firewallRules: {from: properties.startIpAddress, to: properties.endIpAddress}
#     Microsoft.DBforMySQL/flexibleServers/firewallRules: {from: properties.startIpAddress, to: properties.endIpAddress}
#     Microsoft.Cache/redis/firewallRules: {from: properties.startIP, to: properties.endIP}
package verdict.cloud.azure.database_firewall

import data.verdict.cloud.lib

found contains lib.at(input.to, "the database answers any address on the internet") if {
	lib.is(input.from, "0.0.0.0")
	lib.is(input.to, "255.255.255.255")
}

found contains lib.less(lib.at(input.to, "the database answers everything that runs in Azure, also what belongs to others"), "medium") if {
	lib.is(input.from, "0.0.0.0")
	lib.is(input.to, "0.0.0.0")
}
