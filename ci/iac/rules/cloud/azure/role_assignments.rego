# METADATA
# title: Nobody owns a whole subscription for good
# custom:
#   id: VI-AZ-010
#   severity: high
#   theme: identity
#   reference: "Microsoft Learn: Best practices for Azure RBAC"
#   fix: >-
#     Give a role that names what is done, on the resource group. Who has to give rights gets
#     the role for hours, by Privileged Identity Management.
#   settings:
#     azurerm_role_assignment: {role: role_definition_name, id: role_definition_id, scope: scope, condition: condition}
#     Microsoft.Authorization/roleAssignments: {id: properties.roleDefinitionId, level: level, condition: properties.condition}
package verdict.cloud.azure.role_assignments

import data.verdict.cloud.lib

owning := {"Owner": "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "User Access Administrator": "18d7d88d-d35e-4fb5-a5c3-7773c20a72d9", "Role Based Access Control Administrator": "f58310d9-a9f6-439a-9e8d-f62e7b41a168"}

found contains lib.at(role, sprintf("%s on a whole subscription or more may give itself and others any right in it", [name])) if {
	some name, id in owning
	some role in [input.role, input.id]
	names(role, name, id)
	lib.is_absent(input.condition)
	wide
}

# A template says by its schema what it is deployed to.
wide if lib.text(input.level) != ""

wide if {
	regex.match(`(?i)^(/subscriptions/[^/]+/?|/providers/microsoft\.management/managementgroups/[^/]+/?|/|(module\.[^.]+\.)*(data\.)?azurerm_(subscription|management_group)\.[^/]+)$`, lib.text(input.scope))
}

names(role, name, _) if lib.is(role, name)

names(role, _, id) if contains(lower(lib.text(role)), id)
