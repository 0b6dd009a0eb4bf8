# METADATA
# title: A trail records all that happens in all regions
# custom:
#   id: VI-ALI-005
#   severity: medium
#   theme: logging
#   reference: "Alibaba Cloud ActionTrail: Create a single-account trail"
#   fix: >-
#     Set event_rw = "All"; leave trail_region "All" and status "Enable".
#   settings:
#     alicloud_actiontrail_trail: {events: event_rw, region: trail_region, status: status}
package verdict.cloud.alibaba.trail

import data.verdict.cloud.lib

found contains lib.at(input.events, "it records only a part of what is done in the account") if lib.is_one_of(input.events, {"Read", "Write"})

found contains lib.at(input.region, "it records one region: who takes another leaves no trace") if {
	input.region.state == "value"
	lib.is_not(input.region, "All")
}

found contains object.union(lib.at(input.status, "it is there and records nothing"), {"severity": "high"}) if lib.is(input.status, "Disable")
