# METADATA
# title: Warehouses and replication have no address on the internet
# custom:
#   id: VI-AWS-009
#   severity: high
#   theme: exposure
#   reference: "Amazon Redshift Management Guide: Redshift resources in a VPC"
#   fix: >-
#     Take publicly_accessible (PubliclyAccessible) out or set it to false.
#   settings:
#     aws_redshift_cluster: {public: publicly_accessible}
#     aws_redshiftserverless_workgroup: {public: publicly_accessible}
#     aws_dms_replication_instance: {public: publicly_accessible}
#     "AWS::Redshift::Cluster": {public: PubliclyAccessible}
#     "AWS::RedshiftServerless::Workgroup": {public: PubliclyAccessible}
#     "AWS::DMS::ReplicationInstance": {public: PubliclyAccessible}
package verdict.cloud.aws.public_data

import data.verdict.cloud.lib

found contains lib.at(input.public, "it has an address on the internet") if lib.is(input.public, true)

# Alone this type of CloudFormation is public unless it is told not to be.
found contains lib.at(input.public, "it has an address on the internet, since it is not told otherwise") if {
	lower(input.type) == "aws::dms::replicationinstance"
	lib.is_absent(input.public)
}
