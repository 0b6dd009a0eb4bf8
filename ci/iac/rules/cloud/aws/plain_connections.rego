# METADATA
# title: Connections to databases and files are encrypted
# custom:
#   id: VI-AWS-010
#   severity: medium
#   theme: encryption
#   reference: "Amazon RDS User Guide: Using TLS/SSL with RDS Proxy"
#   fix: >-
#     Set require_tls = true (RequireTLS: true) of a proxy; take FTP out of the protocols of a
#     transfer server.
#   settings:
#     aws_db_proxy: {tls: require_tls}
#     "AWS::RDS::DBProxy": {tls: RequireTLS}
#     aws_transfer_server: {protocols: protocols}
#     "AWS::Transfer::Server": {protocols: Protocols}
package verdict.cloud.aws.plain_connections

import data.verdict.cloud.lib

found contains lib.at(input.tls, "the proxy takes connections in the clear: passwords and data can be read on the way") if lib.is_not(input.tls, true)

found contains object.union(lib.at(protocol, "files and passwords go by plain FTP"), {"severity": "high"}) if {
	some protocol in lib.items(input.protocols)
	lib.is(protocol, "FTP")
}
