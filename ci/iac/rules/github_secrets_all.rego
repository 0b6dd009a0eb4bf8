# METADATA
# title: A step gets the secrets that it needs, by name
# custom:
#   id: VP-GHA-008
#   severity: high
#   formats: github-actions
#   fix: >-
#     Name the one secret: ${{ secrets.NAME }}
package verdict.pipelines.github.secrets_all

import data.verdict.pipelines.lib

all_of_them(contexts) if "secrets" in contexts

found contains lib.of_step(step, e.at, "toJSON(secrets)", sprintf("%s gives the step every secret of the repository", [e.text])) if {
	some step in input.steps
	some s in step.scripts
	some e in s.expressions
	all_of_them(e.contexts)
}

found contains lib.of_step(step, v.at, "toJSON(secrets)", sprintf("the input %s of %s gives the step every secret of the repository", [k, step.uses.name])) if {
	some step in input.steps
	some k, v in step["with"]
	all_of_them(v.contexts)
	not k in {trim_prefix(s.key, "with.") | some s in step.scripts}
}

found contains lib.of_step(step, v.at, "toJSON(secrets)", sprintf("the variable %s gives the step every secret of the repository", [v.name])) if {
	some step in input.steps
	some v in step.env
	all_of_them(v.contexts)
}

found contains lib.of_job(j, v.at, "toJSON(secrets)", sprintf("the variable %s gives every step of the job every secret of the repository", [v.name])) if {
	some j in input.jobs
	some v in j.env
	all_of_them(v.contexts)
}

found contains lib.of_workflow("env", v.at, "toJSON(secrets)", sprintf("the variable %s gives every step every secret of the repository", [v.name])) if {
	some v in input.env
	all_of_them(v.contexts)
}
