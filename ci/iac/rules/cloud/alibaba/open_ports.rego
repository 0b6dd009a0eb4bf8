# METADATA
# title: Ports of machines and databases are closed to the internet
# custom:
#   id: VI-ALI-003
#   severity: high
#   theme: network
#   reference: "Alibaba Cloud ECS: Security group rules"
#   fix: >-
#     Name the networks that need the port in cidr_ip; take a bastion host for management.
#   settings:
#     alicloud_security_group_rule: {direction: type, policy: policy, protocol: ip_protocol, ports: port_range, v4: cidr_ip, v6: ipv6_cidr_ip}
package verdict.cloud.alibaba.open_ports

import data.verdict.cloud.lib

found contains lib.at(network, "anybody on the internet reaches ports by which machines are managed or databases are asked") if {
	lib.is(input.direction, "ingress")
	lib.is_not(input.policy, "drop")
	some network in [input.v4, input.v6]
	lib.is_one_of(network, lib.everywhere)
	sensitive
}

sensitive if lib.is(input.protocol, "all")

sensitive if {
	lib.is_one_of(input.protocol, {"tcp", "udp"})
	lib.is(input.ports, "-1/-1")
}

sensitive if {
	lib.is_one_of(input.protocol, {"tcp", "udp"})
	m := regex.find_all_string_submatch_n(`^(\d+)/(\d+)$`, lib.text(input.ports), 1)[0]
	count(lib.ports_within(to_number(m[1]), to_number(m[2]))) > 0
}
