# METADATA
# title: Templates of another repository are those that were looked at
# custom:
#   id: VP-AZP-008
#   severity: medium
#   formats: azure-pipelines
#   fix: >-
#     Write "ref: refs/tags/v1.2.3" below the repository, and protect the tag there
package verdict.pipelines.azure.repositories

import data.verdict.pipelines.lib

found contains {"type": "pipeline", "resource": sprintf("resources.repositories.%s", [r.alias]), "at": r.at, "cause": cause(r), "message": sprintf(
	"templates of %s run in this pipeline with all that it may do, and whoever pushes to the branch %s there writes them",
	[r.name, branch(r)],
)} if {
	some r in input.repositories
	moves(r.ref)
	some t in input.templates
	endswith(t.text, concat("", ["@", r.alias]))
}

moves("")

moves(ref) if startswith(ref, "refs/heads/")

moves(ref) if {
	ref != ""
	not startswith(ref, "refs/")
	not regex.match(`^[0-9a-f]{40}$`, ref)
	not contains(ref, "${{")
}

cause(r) := "" if r.ref == ""

cause(r) := "ref: a branch" if r.ref != ""

branch(r) := "that is the default" if r.ref == ""

branch(r) := trim_prefix(r.ref, "refs/heads/") if r.ref != ""
