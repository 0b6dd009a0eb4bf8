# METADATA
# title: Nobody has a basic role
# custom:
#   id: VI-GCP-004
#   severity: medium
#   theme: identity
#   reference: "Google Cloud: IAM basic and predefined roles reference"
#   fix: >-
#     Give roles that name a service and what is done with it.
#   settings:
#     google_project_iam_member: {who: member, role: role}
#     google_project_iam_binding: {who: members, role: role}
#     google_folder_iam_member: {who: member, role: role}
#     google_folder_iam_binding: {who: members, role: role}
#     google_organization_iam_member: {who: member, role: role}
#     google_organization_iam_binding: {who: members, role: role}
package verdict.cloud.google.basic_roles

import data.verdict.cloud.lib

# Of service accounts the library asks the same.
found contains graded(lib.at(input.role, "the role allows nearly everything in all services")) if {
	lib.is_one_of(input.role, {"roles/owner", "roles/editor"})
	some who in lib.items(input.who)
	not startswith(lib.text(who), "serviceAccount:")
}

graded(f) := object.union(f, {"severity": "high"}) if not startswith(input.type, "google_project")

graded(f) := f if startswith(input.type, "google_project")
