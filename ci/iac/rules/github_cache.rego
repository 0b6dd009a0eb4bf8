# METADATA
# title: A release is built without a cache that other runs write
# custom:
#   id: VP-GHA-014
#   severity: low
#   formats: github-actions
#   fix: >-
#     Take the cache out of the workflow that releases (cache: false, or without
#     actions/cache): a release is rare, and slower is safer
package verdict.pipelines.github.cache

import data.verdict.pipelines.lib

found contains lib.of_step(step, step.uses.at, sprintf("%s with a cache in a release", [step.uses.name]), sprintf(
	"%s restores a cache, and the job publishes: whoever could write into the cache is in the release",
	[step.uses.name],
)) if {
	releases
	some step in input.steps
	cached(step)
	some other in input.steps
	other.job == step.job
	publishes(other)
}

releases if input.events.release

releases if {
	count(input.events.push.tags) > 0
	not input.events.push.branches
}

cached(step) if {
	step.uses.name in {"actions/cache", "actions/cache/restore"}
	not step["with"]["lookup-only"].text == "true"
}

cached(step) if {
	step.uses.name in {"actions/setup-node", "actions/setup-python", "actions/setup-java"}
	not object.get(step["with"], ["cache", "text"], "") in {"", "false"}
}

cached(step) if {
	step.uses.name == "actions/setup-go"
	object.get(step["with"], ["cache", "text"], "") != "false"
}

publishes(step) if {
	regex.match(`^(?:goreleaser/goreleaser-action|softprops/action-gh-release|ncipollo/release-action|pypa/gh-action-pypi-publish|actions/upload-release-asset|svenstaro/upload-release-action)$`, step.uses.name)
}

publishes(step) if {
	step.uses.name == "docker/build-push-action"
	step["with"].push.text == "true"
}

publishes(step) if {
	some s in step.scripts
	regex.match(`\b(?:npm\s+publish|pnpm\s+publish|yarn\s+npm\s+publish|cargo\s+publish|twine\s+upload|gh\s+release\s+(?:create|upload)|goreleaser\s+release|docker\s+push|mvn\s+.*\bdeploy\b|gem\s+push|dotnet\s+nuget\s+push)`, s.text)
}
