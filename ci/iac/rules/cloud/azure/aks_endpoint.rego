# METADATA
# title: The API server of a cluster is not open to everybody
# custom:
#   id: VI-AZ-003
#   severity: high
#   theme: exposure
#   reference: "Microsoft Learn: Secure access to the API server using authorized IP address ranges in AKS"
#   fix: >-
#     Set properties.apiServerAccessProfile.enablePrivateCluster: true, or list the networks
#     that may reach it in authorizedIPRanges.
#   settings:
#     Microsoft.ContainerService/managedClusters: {private: properties.apiServerAccessProfile.enablePrivateCluster, ranges: properties.apiServerAccessProfile.authorizedIPRanges}
package verdict.cloud.azure.aks_endpoint

import data.verdict.cloud.lib

# Of Terraform the library asks the same.
found contains lib.at(input.ranges, "the API server answers anybody on the internet") if {
	lib.is_not(input.private, true)
	lib.is_absent(input.ranges)
}

found contains lib.at(range, "the API server answers anybody on the internet") if {
	lib.is_not(input.private, true)
	some range in lib.items(input.ranges)
	lib.is(range, "0.0.0.0/0")
}
