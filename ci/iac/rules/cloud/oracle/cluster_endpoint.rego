# METADATA
# title: The API server of a cluster is in a private network
# custom:
#   id: VI-OCI-005
#   severity: medium
#   theme: exposure
#   reference: "Oracle Cloud Infrastructure: Kubernetes API endpoint"
#   fix: >-
#     Set endpoint_config { is_public_ip_enabled = false } with a private subnet.
#   settings:
#     oci_containerengine_cluster: {public: endpoint_config.is_public_ip_enabled}
package verdict.cloud.oracle.cluster_endpoint

import data.verdict.cloud.lib

found contains lib.at(input.public, "the API server has an address on the internet") if lib.is(input.public, true)
