# METADATA
# title: The white list of a database names networks
# custom:
#   id: VI-ALI-004
#   severity: high
#   theme: network
#   reference: "Alibaba Cloud ApsaraDB RDS: Configure an IP address whitelist"
#   fix: >-
#     Name the networks of the applications that ask it.
#   settings:
#     alicloud_db_instance: {list: security_ips}
#     alicloud_kvstore_instance: {list: security_ips}
#     alicloud_mongodb_instance: {list: security_ip_list}
#     alicloud_polardb_cluster: {list: security_ips}
package verdict.cloud.alibaba.open_databases

import data.verdict.cloud.lib

found contains lib.at(network, "the database answers any address that reaches it") if {
	some network in lib.items(input.list)
	lib.is_one_of(network, {"0.0.0.0/0", "0.0.0.0", "::/0"})
}
