package iac

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
)

// judged is what the checker says of one file, or of several in one text, each behind a
// line "-- path --".
func judged(t testing.TB, path, text string) Result {
	t.Helper()
	var files []File
	for part := range strings.SplitSeq("-- "+path+" --\n"+text, "\n-- ") {
		name, body, _ := strings.Cut(strings.TrimPrefix(part, "-- "), " --\n")
		files = append(files, File{name, []byte(body)})
	}
	r, err := testPipelines.Check(context.Background(), files)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

var testPipelines = NewPipelines()

type pipelineCase struct {
	name, text string
	want       string // "severity line resource" of each problem of the check, with " | " between them
}

// inTable runs a table for one check. Others may find something in the same text.
func inTable(t *testing.T, id, path, head string, cases []pipelineCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(id+" "+c.name, func(t *testing.T) {
			r := judged(t, path, head+c.text)
			var got []string
			for _, p := range r.Problems {
				if p.Check == Invalid {
					t.Errorf("line %d:%d: %s", p.Line, p.Column, p.Message)
				}
				if p.Title == "" || p.Message == "" || p.Fix == "" || p.Type == "" || p.Resource == "" || p.Line == 0 || p.Column == 0 || p.Format == "" {
					t.Errorf("a person cannot act on it: %+v", p)
				}
				if p.Check == id {
					got = append(got, string(p.Severity)+" "+p.Resource)
				}
			}
			for _, o := range r.Open {
				if o.Blocks {
					t.Errorf("not judged: %s", o.Reason)
				}
			}
			if strings.Join(got, " | ") != c.want {
				t.Errorf("got  %q\nwant %q", strings.Join(got, " | "), c.want)
			}
		})
	}
}

const workflowPath = ".github/workflows/w.yml"

// One job with steps, by the events that its first line names.
func steps(on, body string) string {
	return "on: " + on + "\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-24.04\n    steps:\n" + body
}

func TestTextOfStrangersInScripts(t *testing.T) {
	run := func(on, script string) string { return steps(on, "    - run: "+script+"\n") }
	inTable(t, "VP-GHA-001", workflowPath, "", []pipelineCase{
		{"a title in run", run("issues", "echo ${{ github.event.issue.title }}"), "critical jobs.a.steps[0]"},
		{"without secrets it is less bad", run("pull_request", "echo ${{ github.event.pull_request.title }}"), "high jobs.a.steps[0]"},
		{"head_ref", run("pull_request", "git checkout ${{ github.head_ref }}"), "high jobs.a.steps[0]"},
		{"in brackets", run("issues", "echo ${{ github['event']['issue'].title }}"), "critical jobs.a.steps[0]"},
		{"in other letters", run("issues", "echo ${{ GitHub.Event.Issue.Body }}"), "critical jobs.a.steps[0]"},
		{"the whole event", run("issues", "echo '${{ toJSON(github.event) }}'"), "critical jobs.a.steps[0]"},
		{"through format", run("issue_comment", "echo ${{ format('{0}', github.event.comment.body) }}"), "critical jobs.a.steps[0]"},
		{"as the alternative", run("pull_request", "echo ${{ github.head_ref || github.ref_name }}"), "high jobs.a.steps[0]"},
		{"messages of commits", run("push", "echo ${{ github.event.commits[0].message }} ${{ join(github.event.commits.*.author.name) }}"), "high jobs.a.steps[0] | high jobs.a.steps[0]"},
		{"an index that is computed", run("push", "echo ${{ github.event.commits[env.I].message }}"), "high jobs.a.steps[0]"},
		{"an expression that is not understood", run("issues", "echo ${{ github.event.issue.title ?? 'x' }}"), "critical jobs.a.steps[0]"},
		{"github-script", steps("issues", "    - uses: actions/github-script@v7\n      with:\n        script: |\n          core.info('${{ github.event.issue.body }}')\n"), "critical jobs.a.steps[0]"},
		{"another action that executes", steps("issues", "    - uses: Azure/cli@v2\n      with: {inlineScript: 'echo ${{ github.event.issue.body }}'}\n"), "critical jobs.a.steps[0]"},
		{"through env and back", steps("issues", "    - env: {T: '${{ github.event.issue.title }}'}\n      run: echo ${{ env.T }}\n"), "critical jobs.a.steps[0]"},
		{"through the output of a job", "on: issues\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    outputs: {t: '${{ github.event.issue.title }}'}\n    steps: [{run: 'true'}]\n  b:\n    runs-on: x\n    steps:\n    - run: echo ${{ needs.a.outputs.t }}\n", "critical jobs.b.steps[0]"},
		{"in an action that a workflow of this tree calls", steps("issues", "    - uses: ./act\n      with: {title: '${{ github.event.issue.title }}'}\n") + "\n-- act/action.yml --\nname: x\ninputs: {title: {}}\nruns:\n  using: composite\n  steps:\n  - run: echo ${{ inputs.title }}\n    shell: bash\n", "critical runs.steps[0]"},

		{"by env", steps("issues", "    - env: {T: '${{ github.event.issue.title }}'}\n      run: echo \"$T\"\n"), ""},
		{"a number", run("pull_request", "echo ${{ github.event.pull_request.number }}"), ""},
		{"a commit", run("pull_request", "echo ${{ github.event.pull_request.head.sha }}"), ""},
		{"only compared", run("issues", "echo ${{ github.event.issue.title == 'x' }}"), ""},
		{"only asked for", run("issues", "echo ${{ contains(github.event.issue.title, 'x') && 'a' || 'b' }}"), ""},
		{"behind &&", run("pull_request", "echo ${{ github.head_ref && 'pr' || 'push' }}"), ""},
		{"in quotes of an expression", run("issues", "echo ${{ 'github.event.issue.title' }}"), ""},
		{"an input that is not executed", steps("issues", "    - uses: actions/labeler@v5\n      with: {title: '${{ github.event.issue.title }}'}\n"), ""},
		{"the own output of a step", run("issues", "echo ${{ steps.x.outputs.title }}"), ""},
	})
	inTable(t, "VP-GHA-002", workflowPath, "", []pipelineCase{
		{"a text of workflow_dispatch", steps("{workflow_dispatch: {inputs: {v: {}}}}", "    - run: echo ${{ inputs.v }}\n"), "low jobs.a.steps[0]"},
		{"by its older name", steps("{workflow_dispatch: {inputs: {v: {type: string}}}}", "    - run: echo ${{ github.event.inputs.v }}\n"), "low jobs.a.steps[0]"},
		{"a choice", steps("{workflow_dispatch: {inputs: {v: {type: choice, options: [a]}}}}", "    - run: echo ${{ inputs.v }}\n"), ""},
		{"by env", steps("{workflow_dispatch: {inputs: {v: {}}}}", "    - env: {V: '${{ inputs.v }}'}\n      run: echo \"$V\"\n"), ""},
	})
}

func TestStrangersProgramsBesideSecrets(t *testing.T) {
	head := "    - uses: actions/checkout@v4\n      with: {ref: '${{ github.event.pull_request.head.sha }}'}\n"
	inTable(t, "VP-GHA-003", workflowPath, "", []pipelineCase{
		{"the head is built", steps("pull_request_target", head+"    - run: make\n"), "critical jobs.a.steps[0]"},
		{"by head_ref", steps("pull_request_target", strings.ReplaceAll(head, "event.pull_request.head.sha", "head_ref")+"    - run: npm ci\n"), "critical jobs.a.steps[0]"},
		{"the merge", steps("pull_request_target", "    - uses: actions/checkout@v4\n      with: {ref: 'refs/pull/${{ github.event.number }}/merge'}\n    - run: make\n"), "critical jobs.a.steps[0]"},
		{"an action of the tree runs", steps("pull_request_target", head+"    - uses: ./act\n"), "critical jobs.a.steps[0]"},
		{"a foreign action reads the tree", steps("pull_request_target", head+"    - uses: some/linter@v1\n"), "high jobs.a.steps[0]"},
		{"by a comment", steps("issue_comment", "    - run: |\n        gh pr checkout 1\n        make\n"), "critical jobs.a.steps[0]"},
		{"git fetch", steps("pull_request_target", "    - run: git fetch origin pull/1/head && git checkout FETCH_HEAD && make\n"), "critical jobs.a.steps[0]"},
		{"after workflow_run", steps("{workflow_run: {workflows: [x]}}", strings.ReplaceAll(head, "pull_request.head.sha", "workflow_run.head_sha")+"    - run: make\n"), "critical jobs.a.steps[0]"},

		{"without secrets", steps("pull_request", head+"    - run: make\n"), ""},
		{"the base", steps("pull_request_target", "    - uses: actions/checkout@v4\n    - run: make\n"), ""},
		{"nothing runs", steps("pull_request_target", head), ""},
		{"nothing of it runs", steps("pull_request_target", head+"    - run: |\n        echo done\n        gh pr comment 1\n    - uses: actions/labeler@v5\n"), ""},
		{"only for another event", steps("[push, pull_request_target]", strings.Replace(head, "    - uses", "    - if: github.event_name == 'push'\n      uses", 1)+"    - run: make\n"), ""},
		{"only of this repository", strings.Replace(steps("pull_request_target", head+"    - run: make\n"), "runs-on", "if: github.event.pull_request.head.repo.full_name == github.repository\n    runs-on", 1), ""},
		{"of this repository or else", strings.Replace(steps("pull_request_target", head+"    - run: make\n"), "runs-on", "if: github.event.pull_request.head.repo.full_name == github.repository || github.event.label.name == 'x'\n    runs-on", 1), "critical jobs.a.steps[0]"},
		{"in another job", "on: pull_request_target\npermissions: {}\njobs:\n  a:\n    runs-on: x\n    steps:\n" + head + "  b:\n    runs-on: x\n    steps: [{run: make}]\n", ""},
	})
}

func TestPermissions(t *testing.T) {
	jobs := "jobs:\n  a:\n    runs-on: x\n    steps: [{run: 'true'}]\n  b:\n    runs-on: x\n    steps: [{run: 'true'}]\n"
	own := strings.ReplaceAll(jobs, "runs-on: x\n", "runs-on: x\n    permissions: {contents: read}\n")
	inTable(t, "VP-GHA-004", workflowPath, "", []pipelineCase{
		{"nothing is said", "on: push\n" + jobs, "medium permissions"},
		{"one job is silent", "on: push\n" + strings.Replace(jobs, "runs-on: x\n", "runs-on: x\n    permissions: {}\n", 1), "medium permissions"},
		{"above", "on: push\npermissions: {}\n" + jobs, ""},
		{"in each job", "on: push\n" + own, ""},
		{"others call it", "on: workflow_call\n" + jobs, ""},
	})
	inTable(t, "VP-GHA-005", workflowPath, "", []pipelineCase{
		{"above", "on: push\npermissions: write-all\n" + jobs, "high permissions"},
		{"in a job", "on: push\n" + strings.Replace(own, "{contents: read}", "write-all", 1), "high jobs.a"},
		{"to read", "on: push\npermissions: read-all\n" + jobs, ""},
	})
	inTable(t, "VP-GHA-006", workflowPath, "", []pipelineCase{
		{"two jobs", "on: push\npermissions: {contents: write, packages: write}\n" + jobs, "medium permissions"},
		{"each has its own", "on: push\npermissions: {contents: write}\n" + own, ""},
		{"one job", steps("push", "    - run: 'true'\n"), ""},
		{"to read", "on: push\npermissions: {contents: read}\n" + jobs, ""},
	})
}

func TestSecretsOfWorkflows(t *testing.T) {
	run := func(script string) string { return steps("push", "    - run: "+script+"\n") }
	inTable(t, "VP-GHA-007", workflowPath, "", []pipelineCase{
		{"echo", run("echo ${{ secrets.X }}"), "medium jobs.a.steps[0]"},
		{"echo of a variable", steps("push", "    - env: {T: '${{ secrets.X }}'}\n      run: echo \"token $T\"\n"), "medium jobs.a.steps[0]"},
		{"in a form that is not covered", run("echo ${{ secrets.X }} | base64"), "high jobs.a.steps[0]"},
		{"the token", run("echo ${{ github.token }}"), "medium jobs.a.steps[0]"},
		{"into a program", run("echo ${{ secrets.X }} | docker login --password-stdin"), ""},
		{"into a file", run("echo ${{ secrets.X }} > key"), ""},
		{"decoded into a file", run("echo ${{ secrets.X }} | base64 -d > key"), ""},
		{"no secret", run("echo ${{ github.sha }} ${{ github.triggering_actor }}"), ""},
		{"another variable", steps("push", "    - env: {T: '${{ secrets.X }}'}\n      run: echo \"$TITLE\"\n"), ""},
	})
	inTable(t, "VP-GHA-008", workflowPath, "", []pipelineCase{
		{"in a variable", steps("push", "    - env: {ALL: '${{ toJSON(secrets) }}'}\n      run: x\n"), "high jobs.a.steps[0]"},
		{"in an input", steps("push", "    - uses: a/b@v1\n      with: {all: '${{ toJson(secrets) }}'}\n"), "high jobs.a.steps[0]"},
		{"in a script", run("echo '${{ toJSON(secrets) }}' > x"), "high jobs.a.steps[0]"},
		{"one", steps("push", "    - env: {T: '${{ secrets.T }}'}\n      run: x\n"), ""},
	})
	call := func(uses, secrets string) string {
		return "on: push\npermissions: {}\njobs:\n  a:\n    uses: " + uses + "\n    secrets: " + secrets + "\n"
	}
	inTable(t, "VP-GHA-009", workflowPath, "", []pipelineCase{
		{"a branch", call("o/r/.github/workflows/x.yml@main", "inherit"), "high jobs.a"},
		{"a commit", call("o/r/.github/workflows/x.yml@"+strings.Repeat("a", 40), "inherit"), ""},
		{"of this tree", call("./.github/workflows/x.yml", "inherit"), ""},
		{"by name", call("o/r/.github/workflows/x.yml@main", "{A: '${{ secrets.A }}'}"), ""},
	})
	upload := "    - uses: actions/checkout@v4\n    - uses: actions/upload-artifact@v3\n      with: {path: .}\n"
	inTable(t, "VP-GHA-016", workflowPath, "", []pipelineCase{
		{"the whole folder", steps("push", upload), "medium jobs.a.steps[1]"},
		{"with hidden files", steps("push", strings.Replace(upload, "v3\n      with: {path: .}", "v4\n      with: {path: ., include-hidden-files: true}", 1)), "medium jobs.a.steps[1]"},
		{"a version that leaves hidden files out", steps("push", strings.Replace(upload, "@v3", "@v4", 1)), ""},
		{"a folder", steps("push", strings.Replace(upload, "path: .", "path: dist", 1)), ""},
		{"no token is left", steps("push", strings.Replace(upload, "checkout@v4\n", "checkout@v4\n      with: {persist-credentials: false}\n", 1)), ""},
	})
}

func TestGatesThatCannotFail(t *testing.T) {
	inTable(t, "VP-GHA-011", workflowPath, "", []pipelineCase{
		{"verdict || true", steps("push", "    - run: ./bin/verdict ci . || true\n"), "high jobs.a.steps[0]"},
		{"over two lines", steps("push", "    - run: |\n        trivy fs . \\\n          || true\n"), "high jobs.a.steps[0]"},
		{"continue-on-error", steps("push", "    - uses: aquasecurity/trivy-action@v1\n      continue-on-error: true\n"), "high jobs.a.steps[0]"},
		{"of the job", strings.Replace(steps("push", "    - run: verdict ci\n"), "runs-on", "continue-on-error: true\n    runs-on", 1), "high jobs.a"},
		{"it stops", steps("push", "    - run: verdict ci .\n"), ""},
		{"another command", steps("push", "    - run: |\n        rm x || true\n        verdict ci .\n"), ""},
		{"no check", steps("push", "    - run: make\n      continue-on-error: true\n"), ""},
		{"by the matrix", steps("push", "    - run: verdict ci .\n      continue-on-error: ${{ matrix.next }}\n"), ""},
		{"only its version", steps("push", "    - run: trivy fs --version || true\n"), ""},
	})
	inTable(t, "VP-AZP-006", "azure-pipelines.yml", "trigger: none\n", []pipelineCase{
		{"a script", "steps:\n- script: verdict ci . || true\n", "high steps[0]"},
		{"a task", "steps:\n- task: AdvancedSecurity-Codeql-Analyze@1\n  continueOnError: true\n", "high steps[0]"},
		{"another command", "steps:\n- script: rm x || true\n", ""},
	})
	inTable(t, "VP-GLC-001", ".gitlab-ci.yml", "", []pipelineCase{
		{"a job", "scan:\n  allow_failure: true\n  script: [verdict ci .]\n", "high scan"},
		{"a command", "scan:\n  script:\n  - verdict ci . || true\n", "high scan.script"},
		{"it stops", "scan:\n  script: [verdict ci .]\nother:\n  allow_failure: true\n  script: [make]\n", ""},
	})
}

func TestOtherSettingsOfWorkflows(t *testing.T) {
	inTable(t, "VP-GHA-010", workflowPath, "", []pipelineCase{
		{"on a pull request", strings.Replace(steps("pull_request", "    - run: x\n"), "ubuntu-24.04", "[self-hosted, linux]", 1), "medium jobs.a"},
		{"by labels", strings.Replace(steps("pull_request", "    - run: x\n"), "ubuntu-24.04", "{group: g, labels: Self-Hosted}", 1), "medium jobs.a"},
		{"by the matrix", strings.Replace(steps("pull_request", "    - run: x\n"), "runs-on: ubuntu-24.04", "strategy: {matrix: {on: [ubuntu-24.04, [self-hosted, arm64]]}}\n    runs-on: ${{ matrix.on }}", 1), "medium jobs.a"},
		{"by the matrix, of the forge", strings.Replace(steps("pull_request", "    - run: x\n"), "runs-on: ubuntu-24.04", "strategy: {matrix: {on: [ubuntu-24.04], x: [self-hosted]}}\n    runs-on: ${{ matrix.on }}", 1), ""},
		{"on a push", strings.Replace(steps("push", "    - run: x\n"), "ubuntu-24.04", "self-hosted", 1), ""},
		{"of the forge", steps("pull_request", "    - run: x\n"), ""},
		{"only on a push", strings.Replace(steps("[push, pull_request]", "    - run: x\n"), "runs-on: ubuntu-24.04", "if: github.event_name == 'push'\n    runs-on: self-hosted", 1), ""},
	})
	inTable(t, "VP-GHA-012", workflowPath, "", []pipelineCase{
		{"in a step", steps("push", "    - run: x\n      env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: true}\n"), "high jobs.a.steps[0]"},
		{"above", "env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: 'true'}\n" + steps("push", "    - run: x\n"), "high env"},
		{"off", steps("push", "    - run: x\n      env: {ACTIONS_ALLOW_UNSECURE_COMMANDS: false}\n"), ""},
	})
	env := "    - env: {T: '${{ github.event.issue.title }}'}\n      run: echo \"t=$T\" >> "
	inTable(t, "VP-GHA-013", workflowPath, "", []pipelineCase{
		{"a title", steps("issues", env+"$GITHUB_ENV\n"), "critical jobs.a.steps[0]"},
		{"into the path", steps("issues", env+"\"${GITHUB_PATH}\"\n"), "critical jobs.a.steps[0]"},
		{"as an output", steps("issues", env+"$GITHUB_OUTPUT\n"), ""},
		{"between braces", steps("issues", "    - env: {T: '${{ github.event.issue.title }}'}\n      run: |\n        {\n          echo \"T=$T\"\n        } >> \"$GITHUB_ENV\"\n"), "critical jobs.a.steps[0]"},
		{"a number", steps("issues", strings.Replace(env, "issue.title", "issue.number", 1)+"$GITHUB_ENV\n"), ""},
	})
	release := "    - uses: actions/setup-node@v4\n      with: {cache: npm}\n    - run: npm publish\n"
	inTable(t, "VP-GHA-014", workflowPath, "", []pipelineCase{
		{"a release", steps("release", release), "low jobs.a.steps[0]"},
		{"a tag", steps("{push: {tags: ['v*']}}", "    - uses: actions/cache@v4\n    - run: cargo publish\n"), "low jobs.a.steps[0]"},
		{"no release", steps("push", release), ""},
		{"nothing is published", steps("release", strings.Replace(release, "npm publish", "npm test", 1)), ""},
		{"no cache", steps("release", strings.Replace(release, "cache: npm", "node-version: 22", 1)), ""},
	})
	inTable(t, "VP-GHA-015", workflowPath, "", []pipelineCase{
		{"plain", steps("push", "    - run: curl -s http://example.org/x | sudo bash -s -- -y\n"), "medium jobs.a.steps[0]"},
		{"by https", steps("push", "    - run: curl -sSf https://example.org/x | sh\n"), "low jobs.a.steps[0]"},
		{"by substitution", steps("push", "    - run: bash <(curl -s http://example.org/x)\n"), "medium jobs.a.steps[0]"},
		{"PowerShell", steps("push", "    - run: irm https://example.org/x | iex\n"), "low jobs.a.steps[0]"},
		{"into a file", steps("push", "    - run: curl -o x http://example.org/x\n"), ""},
		{"into jq", steps("push", "    - run: curl http://example.org/x | jq .sh\n"), ""},
	})
	inTable(t, "VP-GHA-017", workflowPath, "", []pipelineCase{
		{"a bot", strings.Replace(steps("pull_request_target", "    - run: x\n"), "runs-on", "if: github.actor == 'dependabot[bot]'\n    runs-on", 1), "medium jobs.a"},
		{"who opened it", strings.Replace(steps("pull_request_target", "    - run: x\n"), "runs-on", "if: github.event.pull_request.user.login == 'dependabot[bot]'\n    runs-on", 1), ""},
		{"without secrets", strings.Replace(steps("pull_request", "    - run: x\n"), "runs-on", "if: github.actor == 'dependabot[bot]'\n    runs-on", 1), ""},
	})
}

func TestPipelinesOfAzure(t *testing.T) {
	const at = "azure-pipelines.yml"
	inTable(t, "VP-AZP-001", at, "trigger: [main]\n", []pipelineCase{
		{"a message", "steps:\n- script: echo $(Build.SourceVersionMessage)\n", "high steps[0]"},
		{"a branch", "jobs:\n- job: a\n  steps:\n  - bash: git push $(Build.SourceBranchName)\n", "medium jobs.a.steps[0]"},
		{"in a task", "stages:\n- stage: s\n  jobs:\n  - deployment: d\n    strategy: {runOnce: {deploy: {steps: [{task: AzureCLI@2, inputs: {inlineScript: 'echo $(system.pullrequest.sourcebranch)'}}]}}}\n", "high stages.s.jobs.d.strategy.runOnce.deploy.steps[0]"},
		{"before the run", "steps:\n- pwsh: echo ${{ variables['Build.SourceVersionMessage'] }}\n", "high steps[0]"},
		{"behind an expression", "steps:\n- ${{ if eq(variables.a, 'b') }}:\n  - script: echo $(Build.SourceVersionMessage)\n", "high steps[0]"},
		{"in a template that it refers to", "steps:\n- template: ci/t.yml\n\n-- ci/t.yml --\nsteps:\n- script: echo $(Build.SourceVersionMessage)\n", "high steps[0]"},
		{"by the environment", "steps:\n- script: echo \"$BUILD_SOURCEVERSIONMESSAGE\"\n", ""},
		{"not executed", "steps:\n- task: PublishBuildArtifacts@1\n  inputs: {artifactName: '$(Build.SourceBranchName)'}\n", ""},
		{"a number", "steps:\n- script: echo $(Build.BuildId)\n", ""},
	})
	parameter := func(p, script string) string {
		return "parameters:\n- " + p + "\nsteps:\n- script: " + script + "\n"
	}
	inTable(t, "VP-AZP-002", at, "trigger: none\n", []pipelineCase{
		{"free text", parameter("{name: x, type: string}", "echo ${{ parameters.x }}"), "medium steps[0]"},
		{"a choice", parameter("{name: x, type: string, values: [a]}", "echo ${{ parameters.x }}"), ""},
		{"a number", parameter("{name: x, type: number}", "echo ${{ parameters.x }}"), ""},
		{"only compared", parameter("{name: x, type: string}", "echo ${{ eq(parameters.x, 'a') }}"), ""},
	})
	inTable(t, "VP-AZP-003", at, "", []pipelineCase{
		{"pull requests", "steps:\n- checkout: self\n  persistCredentials: true\n", "medium steps[0]"},
		{"none", "pr: none\nsteps:\n- checkout: self\n  persistCredentials: true\n", ""},
		{"off", "steps:\n- checkout: self\n  persistCredentials: false\n", ""},
	})
	inTable(t, "VP-AZP-004", at, "", []pipelineCase{
		{"for all", "variables: {T: $(System.AccessToken)}\nsteps: [{script: x}]\n", "medium variables"},
		{"for a job", "jobs:\n- job: a\n  variables:\n  - {name: T, value: '$(System.AccessToken)'}\n  steps: [{script: x}]\n", "medium jobs.a.variables"},
		{"for the step", "steps:\n- script: x\n  env: {T: $(System.AccessToken)}\n", ""},
	})
	inTable(t, "VP-AZP-005", at, "", []pipelineCase{
		{"a group", "pr: [main]\nvariables:\n- group: g\nsteps: [{script: x}]\n", "medium variables"},
		{"beside a foreign repository", "pr: [main]\nvariables:\n- group: g\nsteps: [{checkout: other}, {script: x}]\n", "high steps[0]"},
		{"no pull requests", "pr: none\nvariables:\n- group: g\nsteps: [{script: x}]\n", ""},
		{"not for pull requests", "pr: [main]\nvariables:\n- ${{ if ne(variables['Build.Reason'], 'PullRequest') }}:\n  - group: g\nsteps: [{script: x}]\n", ""},
	})
	inTable(t, "VP-AZP-007", at, "", []pipelineCase{
		{"the token", "steps:\n- script: echo $(System.AccessToken)\n", "medium steps[0]"},
		{"in a form that is not covered", "steps:\n- bash: echo $(dbPassword) | base64\n", "high steps[0]"},
		{"into a program", "steps:\n- bash: echo $(dbPassword) | docker login --password-stdin\n", ""},
		{"another", "steps:\n- bash: echo $(passwordLength)\n", ""},
	})
	templates := func(ref string) string {
		return "resources:\n  repositories:\n  - {repository: t, type: git, name: p/t" + ref + "}\nsteps:\n- template: x.yml@t\n"
	}
	inTable(t, "VP-AZP-008", at, "", []pipelineCase{
		{"the default branch", templates(""), "medium resources.repositories.t"},
		{"a branch", templates(", ref: refs/heads/x"), "medium resources.repositories.t"},
		{"a tag", templates(", ref: refs/tags/v1"), ""},
		{"no template", strings.Replace(templates(""), "template: x.yml@t", "checkout: t", 1), ""},
	})
	inTable(t, "VP-AZP-009", at, "", []pipelineCase{
		{"plain", "steps:\n- bash: curl http://example.org/x | sh\n", "medium steps[0]"},
		{"into a file", "steps:\n- bash: curl -o x http://example.org/x\n", ""},
	})
}

func TestPipelinesOfGitLab(t *testing.T) {
	const job = "a: {script: [make]}\n"
	inTable(t, "VP-GLC-002", ".gitlab-ci.yml", job, []pipelineCase{
		{"remote", "include: https://example.org/x.yml\n", "medium include"},
		{"plain", "include: [{remote: 'http://example.org/x.yml'}]\n", "high include"},
		{"with its digest", "include: [{remote: 'https://example.org/x.yml', integrity: sha256-x}]\n", ""},
		{"a project", "include: [{project: g/p, file: x.yml}]\n", "medium include"},
		{"at a commit", "include: [{project: g/p, ref: v1.2.3, file: x.yml}]\n", ""},
		{"of this tree", "include: [{local: /x.yml}]\n", ""},
	})
	inTable(t, "VP-GLC-003", ".gitlab-ci.yml", "", []pipelineCase{
		{"plain", "a: {script: ['curl http://example.org/x | sh']}\n", "medium a.script"},
		{"in lists of lists", "a: {script: [[make, 'curl https://example.org/x | sh']]}\n", "low a.script"},
		{"into a file", "a: {script: ['curl -o x http://example.org/x']}\n", ""},
	})
	inTable(t, "VP-GLC-004", ".gitlab-ci.yml", job, []pipelineCase{
		{"for all", "variables: {CI_DEBUG_TRACE: 'true'}\n", "high variables"},
		{"off", "variables: {CI_DEBUG_TRACE: 'false'}\n", ""},
	})
}

func TestPlacesAreThoseOfTheText(t *testing.T) {
	r := judged(t, workflowPath, steps("issues", "    - run: |\n        # ä\n        true\n\n        echo ü ${{ github.event.issue.title }} \\\n          && curl http://example.org | sh\n"))
	want := map[string][2]int64{"VP-GHA-001": {11, 16}, "VP-GHA-015": {11, 9}}
	for _, p := range r.Problems {
		if at, ok := want[p.Check]; ok {
			if at != [2]int64{p.Line, p.Column} {
				t.Errorf("%s is at %d:%d, want %v", p.Check, p.Line, p.Column, at)
			}
			delete(want, p.Check)
		}
	}
	if len(want) > 0 {
		t.Errorf("not found: %v", want)
	}
}

func TestAnotherNameIsTheSameRisk(t *testing.T) {
	pattern := func(text string) string {
		for _, p := range judged(t, workflowPath, text).Problems {
			if p.Check == "VP-GHA-001" {
				return p.Pattern()
			}
		}
		t.Fatal("not found")
		return ""
	}
	plain := steps("issues", "    - run: echo ${{ github.event.issue.title }}\n")
	named := strings.ReplaceAll(steps("issues", "    - run: x\n    - env: {OTHER: '${{ github.event.issue.title }}'}\n      run: echo ${{ env.OTHER }}\n"), "  a:", "  build:")
	if pattern(plain) != pattern(named) {
		t.Error("a risk that comes back in another job is not recognised")
	}
}

func TestInvalidDefinitionsHaveAPlace(t *testing.T) {
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for _, c := range "bcdefgh" {
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 10) + "]\n"
	}
	for _, c := range []struct {
		name, path, text, says string
		line, column           int64
	}{
		{"no YAML", workflowPath, "on: push\njobs:\n  a: [\n", "no YAML", 3, 3},
		{"a tab", workflowPath, "on: push\njobs:\n\ta: b\n", "no YAML", 3, 2},
		{"no UTF-8", workflowPath, "on: push\nname: \xff\n", "no YAML", 2, 7},
		{"a NUL", workflowPath, "on: push\nname: a\x00\n", "no YAML", 2, 8},
		{"empty", workflowPath, "", "empty", 1, 1},
		{"a list", workflowPath, "- a\n", "no mapping", 1, 1},
		{"a key twice", workflowPath, "on: push\non: pull_request\n", "twice", 2, 1},
		{"aliases without end", workflowPath, bomb, "aliases written out", 1, 20},
		{"an anchor that holds itself", workflowPath, "on: push\njobs: &a\n  b: *a\n", "nested deeper", 3, 3},
		{"deep", workflowPath, "a: " + strings.Repeat("[", 100) + strings.Repeat("]", 100) + "\n", "nested deeper", 1, 68},
		{"no on", workflowPath, "jobs: {a: {runs-on: x, steps: [{run: x}]}}\n", "when it runs", 1, 1},
		{"jobs as a list", workflowPath, "on: push\njobs:\n- a\n", "no mapping of names to jobs", 3, 1},
		{"a job that is a word", workflowPath, "on: push\njobs:\n  a: b\n", "the job a is no mapping", 3, 6},
		{"a job without a runner", workflowPath, "on: push\njobs:\n  a:\n    steps: [{run: x}]\n", "runs-on", 3, 3},
		{"steps as a mapping", workflowPath, "on: push\njobs:\n  a:\n    runs-on: x\n    steps: {run: x}\n", "no list of steps", 5, 12},
		{"a step with nothing to do", workflowPath, "on: push\njobs:\n  a:\n    runs-on: x\n    steps:\n    - name: x\n", "exactly one", 6, 7},
		{"an action without runs", "x/action.yml", "name: x\nbranding: {icon: x}\n", "runs by", 1, 1},
		{"a pipeline without parts", "azure-pipelines.yml", "foo: bar\n", "none of the parts", 1, 1},
		{"steps of Azure as a mapping", "azure-pipelines.yml", "steps: {script: x}\n", "no list", 1, 1},
		{"a job of GitLab that is a word", ".gitlab-ci.yml", "a: b\n", "no mapping", 1, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			start := time.Now()
			r := judged(t, c.path, c.text)
			if len(r.Problems) != 1 || !slices.Equal(r.Judged, []string{c.path}) {
				t.Fatalf("a file that does not run is not told: %+v", r)
			}
			p := r.Problems[0]
			if p.Check != Invalid || p.Severity != verdict.SeverityHigh || p.Fix == "" || !strings.Contains(p.Message, c.says) || p.Line != c.line || p.Column != c.column {
				t.Errorf("%+v", p)
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestWhatIsNoPipelineIsLeftAlone(t *testing.T) {
	r := judged(t, "deploy/app.yaml", "kind: Deployment\n\n-- roles/action.yml --\n- hosts: x\n\n-- sub/.github/workflows/a.yml --\n{}\n")
	if len(r.Judged) != 0 || len(r.Problems) != 0 || len(r.Open) != 0 {
		t.Errorf("%+v", r)
	}
	for p, want := range map[string]bool{workflowPath: true, "t/build.yaml": true, "main.go": false, "node_modules/a/action.yml": false} {
		if testPipelines.Wants(p) != want {
			t.Errorf("Wants(%s) is %v", p, !want)
		}
	}
}

func TestWhatIsNotHereIsTold(t *testing.T) {
	r := judged(t, "azure-pipelines.yml", "steps:\n- template: gone.yml\n- template: x.yml@other\n")
	if len(r.Open) != 1 || len(r.Absent) != 1 || !r.Absent[0].Blocks || !strings.Contains(r.Absent[0].Reason, "not here") || !strings.Contains(r.Open[0].Reason, "another repository") {
		t.Errorf("a template that nobody judged looks judged: %+v %+v", r.Open, r.Absent)
	}
	r = judged(t, workflowPath, "on: push\n#"+strings.Repeat("x", maxPipelineBytes))
	if len(r.Open) != 1 || !r.Open[0].Blocks {
		t.Errorf("a file that is too large looks judged: %+v", r)
	}
}
