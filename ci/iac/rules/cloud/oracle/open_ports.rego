# METADATA
# title: Ports of machines and databases are closed to the internet
# custom:
#   id: VI-OCI-002
#   severity: high
#   theme: network
#   reference: "Oracle Cloud Infrastructure: Security rules"
#   fix: >-
#     Name the networks that need the port as source; take the bastion service for management.
#   settings:
#     oci_core_security_list: {rules: ingress_security_rules}
#     oci_core_default_security_list: {rules: ingress_security_rules}
#     oci_core_network_security_group_security_rule: {direction: direction, source: source, protocol: protocol, tcp: tcp_options.destination_port_range, udp: udp_options.destination_port_range}
package verdict.cloud.oracle.open_ports

import data.verdict.cloud.lib

message := "anybody on the internet reaches ports by which machines are managed or databases are asked"

found contains lib.at(lib.member(r, "source"), message) if {
	some r in lib.items(input.rules)
	lib.is_one_of(lib.member(r, "source"), lib.everywhere)
	some option in ["tcp_options", "udp_options"]
	open(lib.member(r, "protocol"), option, lib.items(lib.member(r, option)), lib.member(r, option))
}

found contains lib.at(input.source, message) if {
	lib.is(input.direction, "INGRESS")
	lib.is_one_of(input.source, lib.everywhere)
	some option, range in {"tcp_options": input.tcp, "udp_options": input.udp}
	open(input.protocol, option, lib.items(range), range)
}

open(protocol, _, _, _) if lib.is(protocol, "all")

# TCP is 6 and UDP is 17. Where no ports are named, all are meant.
open(protocol, option, _, range) if {
	of(protocol, option)
	lib.is_absent(range)
}

open(protocol, option, ranges, _) if {
	of(protocol, option)
	some r in ranges
	count(lib.ports_within(lib.number(lib.member(r, "min")), lib.number(lib.member(r, "max")))) > 0
}

of(protocol, "tcp_options") if lib.is_one_of(protocol, {"6", 6})

of(protocol, "udp_options") if lib.is_one_of(protocol, {"17", 17})
