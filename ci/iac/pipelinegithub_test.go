package iac

import (
	"strings"
	"testing"
)

// The same text of a stranger is the same danger, whatever way it takes into the script.
func TestTextOfStrangersByEveryWay(t *testing.T) {
	run := func(on, script string) string { return steps(on, "    - run: "+script+"\n") }
	title := "'${{ github.event.issue.title }}'"
	made := func(output, use string) string {
		return steps("issues", "    - id: s\n      env: {T: "+title+"}\n      run: "+output+"\n    - run: echo ${{ steps.s.outputs."+use+" }}\n")
	}
	job := func(strategy, script string) string {
		return strings.Replace(run("issues", script), "runs-on: ubuntu-24.04\n", "runs-on: ubuntu-24.04\n    strategy: {matrix: "+strategy+"}\n", 1)
	}
	action := func(with, more, inside string) string {
		return steps("issues", "    - uses: ./act\n"+with+"      id: s\n"+more) + "\n-- act/action.yml --\nname: x\n" + inside
	}
	composite := "runs: {using: composite, steps: [{run: 'echo ${{ %s }}', shell: bash}]}\n"
	inTable(t, "VP-GHA-001", workflowPath, "", []pipelineCase{
		{"a part that is computed", run("issues", "echo ${{ github.event[env.X].title }}"), "critical jobs.a.steps[0]"},
		{"all parts", run("issues", "echo ${{ join(github.event.*.title) }}"), "critical jobs.a.steps[0]"},
		{"a part of the top", run("issues", "echo ${{ github[format('ev{0}', 'ent')].issue.title }}"), "critical jobs.a.steps[0]"},
		{"a milestone with its title", run("issues", "echo ${{ toJSON(github.event.issue.milestone) }}"), "critical jobs.a.steps[0]"},
		{"lines that a review is about", run("pull_request_review_comment", "echo ${{ github.event.comment.diff_hunk }}"), "high jobs.a.steps[0]"},
		{"all variables", steps("issues", "    - env: {T: "+title+"}\n      run: echo '${{ toJSON(env) }}'\n"), "critical jobs.a.steps[0]"},
		{"a variable that is computed", steps("issues", "    - env: {T: "+title+"}\n      run: echo ${{ env[format('{0}', 'T')] }}\n"), "critical jobs.a.steps[0]"},
		{"variables by an expression", steps("issues", "    - env: '${{ fromJSON(toJSON(github.event.issue)) }}'\n      run: echo ${{ env.title }}\n"), "critical jobs.a.steps[0]"},
		{"the matrix", job("{t: ["+title+"]}", "echo ${{ matrix.t }}"), "critical jobs.a.steps[0]"},
		{"what the matrix includes", job("{include: [{t: "+title+"}]}", "echo ${{ matrix.t }}"), "critical jobs.a.steps[0]"},
		{"a matrix by an expression", job("'${{ fromJSON(github.event.issue.body) }}'", "echo ${{ matrix.t }}"), "critical jobs.a.steps[0]"},
		{"the output of a step", made("echo \"t=$T\" >> $GITHUB_OUTPUT", "t"), "critical jobs.a.steps[1]"},
		{"in several lines", made("|\n        {\n          echo 't<<E'\n          echo \"$T\"\n          echo E\n        } >> \"$GITHUB_OUTPUT\"", "t"), "critical jobs.a.steps[1]"},
		{"by its older form", made("'echo \"::set-output name=t::${T}\"'", "t"), "critical jobs.a.steps[1]"},
		{"what a program says about it", made("gh pr view \"$T\" --json number >> $GITHUB_OUTPUT", "t"), ""},
		{"what is left of it", made("echo \"t=$(echo \"$T\" | tr -cd a-z)\" >> $GITHUB_OUTPUT", "t"), ""},
		{"another output of it", made("|\n        echo \"t=$T\" >> $GITHUB_OUTPUT\n        echo n=1 >> $GITHUB_OUTPUT", "n"), ""},
		{"an action that gives the branch", steps("pull_request", "    - id: s\n      uses: tj-actions/branch-names@v8\n    - run: echo ${{ steps.s.outputs.current_branch }}\n"), "high jobs.a.steps[1]"},
		{"what an input is by default", action("", "", "inputs: {t: {default: "+title+"}}\n"+strings.Replace(composite, "%s", "inputs.t", 1)), "critical runs.steps[0]"},
		{"all inputs", action("      with: {t: "+title+"}\n", "", "inputs: {t: {}}\n"+strings.Replace(composite, "%s", "toJSON(inputs)", 1)), "critical runs.steps[0]"},
		{"the variables of who calls", action("      env: {T: "+title+"}\n", "", strings.Replace(composite, "%s", "env.t", 1)), "critical runs.steps[0]"},
		{"the output of an action", action("      with: {t: "+title+"}\n", "    - run: echo ${{ steps.s.outputs.o }}\n", "inputs: {t: {}}\noutputs: {o: {value: '${{ inputs.t }}'}}\nruns: {using: composite, steps: [{run: x, shell: bash}]}\n"), "critical jobs.a.steps[1]"},
		{"the output of a workflow", "on: issues\npermissions: {}\njobs:\n  a: {uses: ./.github/workflows/x.yml}\n  b:\n    needs: a\n    runs-on: x\n    steps: [{run: 'echo ${{ needs.a.outputs.o }}'}]\n\n-- .github/workflows/x.yml --\non: {workflow_call: {outputs: {o: {value: '${{ jobs.c.outputs.p }}'}}}}\npermissions: {}\njobs:\n  c:\n    runs-on: x\n    outputs: {p: " + title + "}\n    steps: [{run: x}]\n", "critical jobs.b.steps[0]"},
		{"outputs through several jobs", "on: issues\npermissions: {}\njobs:\n  c:\n    runs-on: x\n    steps: [{run: 'echo ${{ needs.b.outputs.t }}'}]\n  b:\n    runs-on: x\n    outputs: {t: '${{ needs.a.outputs.t }}'}\n    steps: [{run: x}]\n  a:\n    runs-on: x\n    outputs: {t: " + title + "}\n    steps: [{run: x}]\n", "critical jobs.c.steps[0]"},
		{"an action by another way to write its name", steps("issues", "    - uses: actions\\\\github-script@v7\n      with: {script: 'x(${{ github.event.issue.body }})'}\n"), "critical jobs.a.steps[0]"},

		{"a part that nobody else writes", run("issues", "echo ${{ join(github.event.*.number) }}"), ""},
		{"another value of the matrix", job("{t: ["+title+"], n: [1]}", "echo ${{ matrix.n }}"), ""},
		{"another variable", steps("issues", "    - env: {T: "+title+", N: x}\n      run: echo ${{ env.N }}\n"), ""},
	})
}

// A chain of files that call each other must not be long enough to lose the text.
func TestTextOfStrangersThroughManyFiles(t *testing.T) {
	text := steps("issues", "    - uses: ./a\n      with: {t: '${{ github.event.issue.title }}'}\n")
	for _, c := range "abcdefg" {
		text += "\n-- " + string(c) + "/action.yml --\nname: x\ninputs: {t: {}}\nruns: {using: composite, steps: [{uses: ./" + string(c+1) + ", with: {t: '${{ inputs.t }}'}}]}\n"
	}
	text += "\n-- h/action.yml --\nname: x\ninputs: {t: {}}\nruns: {using: composite, steps: [{run: 'echo ${{ inputs.t }}', shell: bash}]}\n"
	inTable(t, "VP-GHA-001", workflowPath, "", []pipelineCase{{"eight actions", text, "critical runs.steps[0]"}})
}

// An if: that is always true protects nothing, and one that demands what strangers do not
// have does.
func TestConditionsAreReadAsTheyHold(t *testing.T) {
	head := "    - uses: actions/checkout@v4\n      with: {ref: '${{ github.event.pull_request.head.sha }}'}\n    - run: make\n"
	own := "github.event.pull_request.head.repo.full_name == github.repository"
	with := func(condition string) string {
		return strings.Replace(steps("pull_request_target", head), "runs-on", "if: "+condition+"\n    runs-on", 1)
	}
	const found = "critical jobs.a.steps[0]"
	inTable(t, "VP-GHA-003", workflowPath, "", []pipelineCase{
		{"an expression with a line break behind it", with("|\n      ${{ " + own + " }}"), found},
		{"an expression with text around it", with("'${{ " + own + " }} && true'"), found},
		{"an event or anything", with("github.event_name == 'push' || always()"), found},
		{"not another repository, negated", with("\"!(" + own + ")\""), found},
		{"an expression that nobody understands", with("github.event_name == 'push' ?? x"), found},
		{"compared with what a stranger chooses", with("github.event.pull_request.head.repo.name == 'r'"), found},
		{"in an expression", with("${{ " + own + " }}"), ""},
		{"in brackets, beside another", with("(" + own + ") && (github.event.label.name == 'x' || github.event.label.name == 'y')"), ""},
		{"by the name of the repository", with("github.event.pull_request.head.repo.full_name == 'o/r'"), ""},
		{"no copy", with("\"!github.event.pull_request.head.repo.fork\""), ""},
		{"one of several events, none of which it is", with("github.event_name == 'push' || github.event_name == 'release'"), ""},
		{"who opened it", with("github.event.pull_request.user.login == 'dependabot[bot]'"), ""},
		{"never", with("false"), ""},
		{"never, by an expression", with("${{ false }}"), ""},
	})
	script := func(env, command string) string {
		return steps("pull_request_target", "    - env: {X: '${{ "+env+" }}'}\n      run: |\n        "+command+"\n        make\n")
	}
	inTable(t, "VP-GHA-003", workflowPath, "", []pipelineCase{
		{"by a variable", script("github.event.pull_request.head.sha", "git checkout \"$X\""), found},
		{"a copy is cloned", script("github.event.pull_request.head.repo.clone_url", "git clone $X ."), found},
		{"by its number", steps("pull_request_target", "    - env: {X: 1}\n      uses: actions/checkout@v4\n      with: {ref: '${{ format(''refs/{0}/merge'', github.event.number) }}'}\n    - run: make\n"), found},
		{"a part that is computed", steps("pull_request_target", strings.Replace(head, "github.event.pull_request.head.sha", "github.event[env.P].head.sha", 1)), found},
		{"another variable", script("github.event.pull_request.base.sha", "git checkout \"$X\""), ""},
		{"it is only looked at", steps("pull_request_target", "    - env: {X: '${{ github.event.pull_request.head.sha }}'}\n      run: |\n        git checkout \"$X\"\n        git log -1\n"), ""},
	})
	inTable(t, "VP-GHA-011", workflowPath, "", []pipelineCase{
		{"always", steps("push", "    - run: verdict ci .\n      continue-on-error: ${{ true }}\n"), "high jobs.a.steps[0]"},
		{"always, said otherwise", steps("push", "    - run: verdict ci .\n      continue-on-error: ${{ !false || always() }}\n"), "high jobs.a.steps[0]"},
		{"never", steps("push", "    - run: verdict ci .\n      continue-on-error: ${{ false }}\n"), ""},
		{"by the event", steps("push", "    - run: verdict ci .\n      continue-on-error: ${{ github.event_name == 'schedule' }}\n"), ""},
	})
	inTable(t, "VP-GHA-010", workflowPath, "", []pipelineCase{
		{"by an expression", strings.Replace(steps("pull_request", "    - run: make\n"), "ubuntu-24.04", "${{ fromJSON('[\"self-hosted\", \"x64\"]') }}", 1), "medium jobs.a"},
		{"only for this repository", strings.Replace(steps("pull_request", "    - run: make\n"), "runs-on: ubuntu-24.04", "if: "+own+"\n    runs-on: self-hosted", 1), ""},
	})
}
