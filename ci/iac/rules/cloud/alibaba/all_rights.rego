# METADATA
# title: No policy gives all rights on everything
# custom:
#   id: VI-ALI-002
#   severity: high
#   theme: identity
#   reference: "Alibaba Cloud RAM: Policy elements"
#   fix: >-
#     Name the actions that are needed and the resources that they are needed on.
#   settings:
#     alicloud_ram_policy: {policy: [policy_document, document], old: statement}
#     alicloud_ram_role_policy_attachment: {name: policy_name, kind: policy_type}
#     alicloud_ram_user_policy_attachment: {name: policy_name, kind: policy_type}
#     alicloud_ram_group_policy_attachment: {name: policy_name, kind: policy_type}
#     alicloud_ram_role: {trust: [assume_role_policy_document, document]}
package verdict.cloud.alibaba.all_rights

import data.verdict.cloud.lib

found contains lib.at(s, "the policy allows all actions, or all on identities, on everything: who has it owns the account") if {
	some s in lib.allows_everywhere(input.policy, {"*", "*:*", "ram:*"})
}

found contains lib.at(s, "the policy allows all actions on everything: who has it owns the account") if {
	some s in lib.items(input.old)
	lib.is(lib.member(s, "effect"), "Allow")
	some a in lib.items(lib.member(s, "action"))
	lib.is_one_of(a, {"*", "*:*", "ram:*"})
	some r in lib.items(lib.member(s, "resource"))
	lib.is(r, "*")
}

found contains lib.at(input.name, "the policy AdministratorAccess allows everything in the account") if {
	lib.is(input.name, "AdministratorAccess")
	lib.is(input.kind, "System")
}

found contains lib.at(s, "anybody who has an account at Alibaba Cloud may take the role") if {
	some s in lib.allows(input.trust)
	lib.for_everybody(s)
	lib.unconditional(s)
}
