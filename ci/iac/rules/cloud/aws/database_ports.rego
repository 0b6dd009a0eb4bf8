# METADATA
# title: Ports of databases and agents are closed to the internet
# custom:
#   id: VI-AWS-008
#   severity: high
#   theme: network
#   reference: "Amazon VPC User Guide: Security group rules"
#   fix: >-
#     Name the networks or security groups that need the port.
#   settings:
#     aws_security_group: {rules: ingress}
#     aws_default_security_group: {rules: ingress}
#     "AWS::EC2::SecurityGroup": {rules: SecurityGroupIngress}
#     aws_security_group_rule: {direction: type, from: from_port, to: to_port, protocol: protocol, v4: cidr_blocks, v6: ipv6_cidr_blocks}
#     aws_vpc_security_group_ingress_rule: {from: from_port, to: to_port, protocol: ip_protocol, v4: cidr_ipv4, v6: cidr_ipv6}
#     "AWS::EC2::SecurityGroupIngress": {from: FromPort, to: ToPort, protocol: IpProtocol, v4: CidrIp, v6: CidrIpv6}
package verdict.cloud.aws.database_ports

import data.verdict.cloud.lib

# SSH and RDP, and all ports at once, are asked for by the library.
others := lib.sensitive_ports - {22, 3389}

found contains lib.at(network, sprintf("anybody on the internet reaches port %v", [ports])) if {
	some r in entries
	lib.is_one_of(r.protocol, {"tcp", "udp", "6", "17"})
	from := lib.number(r.from)
	to := lib.number(r.to)
	not any_of({22, 3389}, from, to)
	open := {p | some p in others; from <= p; p <= to}
	count(open) > 0
	ports := concat(", ", [sprintf("%d", [p]) | some p in sort(open)])
	some network in r.networks
	lib.is_one_of(network, lib.everywhere)
}

any_of(ports, from, to) if {
	some p in ports
	from <= p
	p <= to
}

entries contains {"protocol": input.protocol, "from": input.from, "to": input.to, "networks": array.concat(lib.items(input.v4), lib.items(input.v6))} if {
	not lib.is(input.direction, "egress")
}

entries contains {"protocol": m["protocol"], "from": m["from"], "to": m["to"], "networks": networks} if {
	some r in lib.items(input.rules)
	m := {"protocol": lib.member_of(r, ["protocol", "IpProtocol"]), "from": lib.member_of(r, ["from_port", "FromPort"]), "to": lib.member_of(r, ["to_port", "ToPort"])}
	networks := [n | some name in ["cidr_blocks", "ipv6_cidr_blocks", "CidrIp", "CidrIpv6"]; some n in lib.items(lib.member(r, name))]
}
