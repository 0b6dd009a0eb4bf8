# What several checks ask of a pipeline. Contexts are in lower letters, with dots, and
# with * for what is computed or numbered.
package verdict.pipelines.lib

# Anybody who can open an issue or a pull request writes these. They are lines of one text,
# which costs nothing where nobody asks.
# https://docs.github.com/actions/concepts/security/script-injections
strangers_write := `
github.head_ref
github.event.issue.title
github.event.issue.body
github.event.issue.milestone.title
github.event.issue.labels.*.name
github.event.issue.labels.*.description
github.event.discussion.title
github.event.discussion.body
github.event.answer.body
github.event.pull_request.title
github.event.pull_request.body
github.event.pull_request.milestone.title
github.event.pull_request.labels.*.name
github.event.pull_request.labels.*.description
github.event.pull_request.head.ref
github.event.pull_request.head.label
github.event.pull_request.head.repo.default_branch
github.event.pull_request.head.repo.description
github.event.pull_request.head.repo.homepage
github.event.comment.body
github.event.comment.diff_hunk
github.event.comment.path
github.event.review.body
github.event.review_comment.body
github.event.pages.*.page_name
github.event.pages.*.title
github.event.pages.*.summary
github.event.forkee.description
github.event.forkee.homepage
github.event.forkee.default_branch
github.event.label.name
github.event.label.description
github.event.changes.title.from
github.event.changes.body.from
github.event.changes.name.from
github.event.changes.ref.from
github.event.changes.base.ref.from
github.event.workflow_run.head_branch
github.event.workflow_run.display_title
github.event.workflow_run.pull_requests.*.head.ref
github.event.workflow_run.head_repository.description
github.event.workflow_run.head_repository.homepage
github.event.check_suite.head_branch
github.event.check_suite.pull_requests.*.head.ref
github.event.check_run.check_suite.head_branch
github.event.commits.*.message
github.event.commits.*.author.name
github.event.commits.*.author.email
github.event.commits.*.committer.name
github.event.commits.*.committer.email
github.event.head_commit.message
github.event.head_commit.author.name
github.event.head_commit.author.email
github.event.head_commit.committer.name
github.event.head_commit.committer.email
github.event.workflow_run.head_commit.message
github.event.workflow_run.head_commit.author.name
github.event.workflow_run.head_commit.author.email
github.event.workflow_run.head_commit.committer.name
github.event.workflow_run.head_commit.committer.email
github.event.merge_group.head_commit.message
github.event.merge_group.head_commit.author.name
github.event.merge_group.head_commit.author.email
github.event.merge_group.head_commit.committer.name
github.event.merge_group.head_commit.committer.email
github.event.check_suite.head_commit.message
github.event.check_suite.head_commit.author.name
github.event.check_suite.head_commit.author.email
github.event.check_suite.head_commit.committer.name
github.event.check_suite.head_commit.committer.email
`

untrusted(context) if {
	startswith(context, "github")
	within(context, strangers_write)
}

within(context, lines) if among(context, lines)

# github.event.issue holds the title as well.
within(context, lines) if contains(lines, concat("", ["\n", context, "."]))

within(context, lines) if {
	contains(context, "*")
	regex.match(concat("", ["\n", any_of(context), `\.`]), lines)
}

# among: a context is one of the lines, as far as is known: what is computed in it may be
# anything.
among(context, lines) if contains(lines, concat("", ["\n", context, "\n"]))

among(context, lines) if {
	contains(context, "*")
	regex.match(concat("", ["\n", any_of(context), "\n"]), lines)
}

any_of(context) := replace(replace(context, ".", `\.`), "*", `[^.\n]+`)

# Events by which strangers start a workflow that has the secrets of the repository.
privileged_events := {"pull_request_target", "workflow_run", "issue_comment", "issues", "discussion", "discussion_comment", "pull_request_review_target", "fork", "watch", "gollum"}

privileged if {
	some e in privileged_events
	input.events[e]
}

privileged if {
	some e in privileged_events
	input.called_by[e]
}

# Events by which the head of a pull request runs.
requested if {
	some e in {"pull_request", "pull_request_target", "merge_group"}
	input.events[e]
}

job(id) := j if {
	some j in input.jobs
	j.id == id
}

# A step of a list whose address is of the same job, further down.
after(step, other) if {
	other.job == step.job
	other.index > step.index
}

runs_something(step) if count(step.scripts) > 0

runs_something(step) if step.uses.kind == "local"

# What looks for something unsafe, and stops a change that brings it.
guard_command := `(?:^|[\s;&|(/"'])(?:verdict(?:\.exe)?\s+(?:ci|plan|gate|admit|deploy|artifact|code|verify|evaluate|decide)\b|gitleaks\s+(?:detect|git|dir|protect)|trufflehog\s|trivy\s+(?:fs|filesystem|image|config|repo|rootfs|sbom)\b|grype\s|osv-scanner\s|snyk\s+(?:test|code|container|iac)|semgrep\s+(?:ci|scan|--config)|checkov\s|tfsec\s|terrascan\s+scan|kics\s+scan|bandit\s+-|gosec\s|govulncheck\s|npm\s+audit\b|pnpm\s+audit\b|yarn\s+(?:npm\s+)?audit\b|pip-audit\b|cargo\s+(?:audit|deny)\b|bundle-audit\b|safety\s+(?:check|scan)\b|cosign\s+verify|slsa-verifier\s|conftest\s+test|opa\s+eval|zizmor\s|dependency-check\s|detect-secrets\s)`

guard_action := `(?i)^(?:aquasecurity/trivy-action|anchore/scan-action|gitleaks/gitleaks-action|trufflesecurity/trufflehog|github/codeql-action/analyze|actions/dependency-review-action|google/osv-scanner-action.*|snyk/actions(?:/.*)?|bridgecrewio/checkov-action|checkmarx/kics-github-action|returntocorp/semgrep-action|semgrep/semgrep-action|golang/govulncheck-action|securego/gosec|aquasecurity/tfsec-action|rustsec/audit-check|actions-rust-lang/audit|pypa/gh-action-pip-audit|zizmorcore/zizmor-action|sonarsource/sonarqube-quality-gate-action|.*/verdict(?:-action)?)$`

guard_task := `^(?:advancedsecurity-codeql-analyze|advancedsecurity-dependency-scanning|microsoftsecuritydevops|credscan|trivy|snyksecurityscan|sonarqubepublish|whitesource.*|dependency-check-build-task|gitleaks|postanalysis|verdict)$`

guards(step) if {
	some s in step.scripts
	regex.match(guard_command, s.text)
}

guards(step) if regex.match(guard_action, step.uses.name)

guards(step) if regex.match(guard_task, step.task)

# A command of a guard whose failure is thrown away.
thrown_away contains {"step": step, "command": c} if {
	some step in input.steps
	some s in step.scripts
	contains(s.text, "||")
	regex.match(guard_command, s.text)
	some c in s.commands
	regex.match(concat("", [guard_command, `.*\|\|\s*(?:true|:|exit\s+0|echo\b|/bin/true)`]), c.text)
	not regex.match(`(?:--version|--help|\bversion\b|\bdownload\b|\bexit\s+[1-9])`, c.text)
}

guard_ignored contains {"step": step} if {
	some step in input.steps
	step.continue_on_error
	guards(step)
}

# A program from the network that nobody looked at. What comes by plain http can be
# replaced on its way.
piped contains {"step": step, "command": c, "plain": plain} if {
	some step in input.steps
	some s in step.scripts
	regex.match(fetched_and_run, s.text)
	some c in s.commands
	regex.match(fetched_and_run, c.text)
	plain := regex.match(`\bhttp://[^\s'"]+`, c.text)
	not regex.match(`\bhttp://(localhost|127\.|\[::1\])`, c.text)
}

fetched_and_run := `(?i)(?:\b(?:curl|wget)\b[^|;&\n]*(?:https?://|\$)[^|;&\n]*\|\s*(?:sudo\s+(?:-\S+\s+)*)?(?:env\s+\S+=\S+\s+)?(?:/\S*/)?(?:ba|z|da|k)?sh\b|\b(?:curl|wget)\b[^|;&\n]*https?://[^|;&\n]*\|\s*(?:sudo\s+)?(?:python3?|perl|ruby|node|php)\b\s*(?:-\s*)?(?:$|[;&|])|\b(?:ba|z)?sh\s+(?:-\S+\s+)*(?:<\(|["']?\$\()\s*(?:curl|wget)\b|\b(?:iwr|irm|invoke-webrequest|invoke-restmethod)\b[^|]*\|\s*(?:iex|invoke-expression)\b|\b(?:iex|invoke-expression)\b.*(?:downloadstring|\biwr\b|\birm\b|invoke-webrequest|invoke-restmethod))`

# What is printed and goes nowhere else than into the log.
printed(command) if {
	regex.match(`(?i)(?:^|[;&|({]\s*|\bthen\s+|\bdo\s+)\s*(?:echo|printf|write-host|write-output)\b`, command)
	not regex.match(`[^|]\|[^|]|>|\$\((?:echo|printf)|<<<|##vso\[task\.setvariable|::add-mask::`, command)
}

# Printed in a form by which the runner does not know it, so that it is not covered.
printed_disguised(command) if {
	regex.match(`(?i)(?:echo|printf)\b.*\|\s*(?:base64|rev|xxd|hexdump|od|sed|tr|fold)\b`, command)
	not regex.match(`>|base64\s+(?:-d|-D|--decode)|\|\s*(?:base64|rev|xxd|hexdump|od|sed|tr|fold)\b[^|]*\||\$\((?:echo|printf)|<<<`, command)
}

of_step(step, at, cause, message) := {"type": "step", "resource": step.address, "at": at, "cause": cause, "message": message}

of_job(j, at, cause, message) := {"type": "job", "resource": j.address, "at": at, "cause": cause, "message": message}

of_workflow(part, at, cause, message) := {"type": "workflow", "resource": part, "at": at, "cause": cause, "message": message}

# Programs that read a text as commands once more. In single quotes nothing is put in before.
rereads := `(?i)(?:^|[\s;&|(])(?:eval|(?:ba|z|da|k)?sh\s+(?:-\w+\s+)*-\w*c|(?:pwsh|powershell)(?:\.exe)?\s+(?:-\w+\s+)*-c\w*|iex|invoke-expression|ssh|python3?\s+-c|node\s+-e|perl\s+-e|ruby\s+-e)\s[^'\n]*`

# evaluates: the command hands the variable of the environment to such a program.
evaluates(command, name) if {
	regex.match(`^[A-Za-z_]\w*$`, name)
	contains(command, name)
	regex.match(concat("", [rereads, `\$(?:\{|env:)?`, name, `(?:\W|$)`]), command)
}
