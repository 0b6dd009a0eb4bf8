# METADATA
# title: What a pipeline includes is what was looked at
# custom:
#   id: VP-GLC-002
#   severity: medium
#   formats: gitlab-ci
#   fix: >-
#     Write ref: with a commit or protected tag below project:, integrity: sha256-… below
#     remote:, and a whole version behind the @ of component:
package verdict.pipelines.gitlab.includes

import data.verdict.pipelines.lib

found contains object.union(lib.of_workflow("include", i.at, "include: remote", "the jobs of another server run in this pipeline with its secrets, as they are at that moment"), {"severity": severity(i)}) if {
	some i in input.includes
	i.remote != ""
	not i.integrity
}

found contains lib.of_workflow("include", i.at, "include: project without ref", sprintf("the jobs of %s run in this pipeline, and whoever pushes to its default branch writes them", [i.project])) if {
	some i in input.includes
	i.project != ""
	i.ref in {"", "main", "master", "HEAD"}
}

found contains lib.of_workflow("include", i.at, "include: component that moves", sprintf("the jobs of %s run in this pipeline as they are at that moment: %s moves", [i.component, i.version])) if {
	some i in input.includes
	i.component != ""
	i.version in {"~latest", "main", "master", "HEAD"}
}

severity(i) := "high" if startswith(i.remote, "http://")

severity(i) := "medium" if not startswith(i.remote, "http://")
