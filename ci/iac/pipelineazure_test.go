package iac

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// Azure puts a pipeline together in more ways than by lists of steps. What is written in
// another of them runs as well, and a reader of the report believes that it was judged.
func TestStepsOfAzureWhereverTheyStand(t *testing.T) {
	const echo = "script: 'echo $(Build.SourceVersionMessage)'"
	inTable(t, "VP-AZP-001", "azure-pipelines.yml", "trigger: [main]\n", []pipelineCase{
		{"handed to a template", "steps:\n- template: t.yml@x\n  parameters:\n    build:\n    - " + echo + "\n", "high steps[0].parameters.build[0]"},
		{"handed to what is extended", "extends:\n  template: t.yml@x\n  parameters:\n    steps:\n    - bash: make\n    - " + echo + "\n", "high extends.parameters.steps[1]"},
		{"a job that is handed", "extends:\n  template: t.yml@x\n  parameters:\n    jobs:\n    - job: a\n      steps:\n      - " + echo + "\n", "high extends.parameters.jobs[0].steps[0]"},
		{"behind an expression there", "extends:\n  template: t.yml@x\n  parameters:\n    steps:\n    - ${{ if true }}:\n      - " + echo + "\n", "high extends.parameters.steps[0][0]"},
		{"by default", "parameters:\n- name: s\n  type: stepList\n  default:\n  - " + echo + "\n", "high parameters[0].default[0]"},
		{"a key behind an expression", "steps:\n- displayName: x\n  ${{ if true }}:\n    " + echo + "\n", "high steps[0]"},
		{"a whole step behind one", "steps:\n- ${{ if true }}:\n    " + echo + "\n", "high steps[0]"},
		{"the other branch of one", "steps:\n- ${{ if true }}:\n    script: make\n  ${{ else }}:\n    " + echo + "\n", "high steps[0]"},
		{"the steps of the file", "${{ if true }}:\n  steps:\n  - script: make\n${{ else }}:\n  steps:\n  - " + echo + "\n", "high steps[1]"},
		{"steps of a job", "jobs:\n- job: a\n  ${{ each x in y }}:\n    steps:\n    - " + echo + "\n", "high jobs.a.steps[0]"},
		{"an input", "steps:\n- task: Bash@3\n  inputs:\n    targetType: inline\n    ${{ if true }}:\n      " + echo + "\n", "high steps[0]"},
		{"arguments of a shell", "steps:\n- task: PowerShell@2\n  inputs: {filePath: a.ps1, arguments: '-m $(Build.SourceVersionMessage)'}\n", "high steps[0]"},
		{"as cmd reads it", "steps:\n- script: echo %BUILD_SOURCEVERSIONMESSAGE%\n", "high steps[0]"},
		{"twice", "steps:\n- script: |\n    echo $(Build.SourceBranch)\n    echo $(Build.SourceBranch)\n", "medium steps[0] | medium steps[0]"},

		{"arguments of another task", "steps:\n- task: DotNetCoreCLI@2\n  inputs: {arguments: '$(Build.SourceVersionMessage)'}\n", ""},
		{"a parameter that is no step", "steps:\n- template: t.yml@x\n  parameters: {message: $(Build.SourceVersionMessage)}\n", ""},
	})
	inTable(t, "VP-AZP-006", "azure-pipelines.yml", "", []pipelineCase{
		{"in one branch", "steps:\n- script: verdict ci .\n  ${{ if true }}:\n    continueOnError: false\n  ${{ else }}:\n    continueOnError: true\n", "high steps[0]"},
	})
	inTable(t, "VP-AZP-005", "azure-pipelines.yml", "", []pipelineCase{
		{"a condition about the reason", "pr: [main]\nvariables:\n  ${{ if ne(variables['Build.Reason'], 'PullRequest') }}:\n    a: b\nsteps: [{script: x}]\n", ""},
	})
}

// A message that was put into a variable first is executed as it would be without.
func TestTextOfAChangeThroughVariablesAndParameters(t *testing.T) {
	const message = "$(Build.SourceVersionMessage)"
	inTable(t, "VP-AZP-001", "azure-pipelines.yml", "trigger: [main]\n", []pipelineCase{
		{"a variable", "variables: {M: '" + message + "'}\nsteps: [{script: echo $(m)}]\n", "high steps[0]"},
		{"of a variable", "variables: [{name: a, value: " + message + "}, {name: b, value: 'x-$(a)'}]\nsteps: [{script: echo $(b)}]\n", "high steps[0]"},
		{"as it is at the start", "variables: {m: \"$[variables['Build.SourceVersionMessage']]\"}\nsteps: [{script: echo $(m)}]\n", "high steps[0]"},
		{"before the run", "variables: {m: '" + message + "'}\nsteps: [{script: 'echo ${{ variables.m }}'}]\n", "high steps[0]"},
		{"of a job", "jobs:\n- job: a\n  variables: {m: '" + message + "'}\n  steps: [{script: echo $(m)}]\n", "high jobs.a.steps[0]"},
		{"of a template of variables", "variables:\n- template: v.yml\nsteps: [{script: echo $(m)}]\n\n-- v.yml --\nvariables: {m: '" + message + "'}\n", "high steps[0]"},
		{"in a template", "variables: {m: '" + message + "'}\nsteps: [{template: t.yml}]\n\n-- t.yml --\nsteps: [{script: echo $(m)}]\n", "high steps[0]"},
		{"a parameter", "steps:\n- template: t.yml\n  parameters: {m: '" + message + "'}\n\n-- t.yml --\nparameters: {m: ''}\nsteps: [{script: 'echo ${{ parameters.m }}'}]\n", "high steps[0]"},
		{"a part of one", "steps:\n- template: t.yml\n  parameters: {m: {a: ['" + message + "']}}\n\n-- t.yml --\nparameters: [{name: m, type: object}]\nsteps: [{script: 'echo ${{ parameters.m.a }}'}]\n", "high steps[0]"},
		{"what one is by default", "parameters: [{name: m, type: string, default: " + message + "}]\nsteps: [{script: 'echo ${{ parameters.m }}'}]\n", "high steps[0]"},
		{"a variable that holds itself", "variables: {a: $(b), b: $(a)}\nsteps: [{script: echo $(a)}]\n", ""},
		{"another variable", "variables: {m: '" + message + "', n: x}\nsteps: [{script: echo $(n)}]\n", ""},
		{"by the environment", "variables: {m: '" + message + "'}\nsteps: [{script: echo \"$M\"}]\n", ""},
	})
}

// Which file is a pipeline is a setting of Azure. One with a name of its own is not clean
// because nobody looked at it.
func TestAPipelineOfAzureHasAnyName(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		is   bool
	}{
		"steps":                       {"trigger: [main]\nsteps:\n- script: make\n", true},
		"stages":                      {"stages:\n- stage: a\n  jobs:\n  - job: b\n    steps: [{bash: make}]\n", true},
		"jobs":                        {"jobs:\n- deployment: b\n  strategy: {runOnce: {deploy: {steps: [{bash: make}]}}}\n", true},
		"a template of steps":         {"parameters: {a: b}\nsteps:\n- task: Bash@3\n", true},
		"what extends a template":     {"trigger: none\nextends: {template: x.yml@t}\n", true},
		"steps of Google Cloud Build": {"steps:\n- name: gcr.io/x\n  script: make\n", false},
		"a pipeline of Drone":         {"kind: pipeline\ntrigger: {branch: [main]}\nsteps:\n- name: a\n  bash: x\n", false},
		"jobs of CircleCI":            {"version: 2.1\njobs: {a: {steps: [checkout]}}\n", false},
		"jobs of Concourse":           {"jobs:\n- name: a\n  plan: [{get: x}]\n", false},
		"no YAML":                     {"steps:\n- {{ x }}: [\n", false},
	} {
		if r := judged(t, "build/ci.yml", c.text); (len(r.Judged) == 1) != c.is || len(r.Problems) > 0 {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

// A few lines must not hold the check for hours, and what was not followed is not clean.
func TestWhatIsNotFollowedToItsEndIsAGap(t *testing.T) {
	var chain strings.Builder
	chain.WriteString("variables:\n")
	for i := range 2000 {
		fmt.Fprintf(&chain, "  a%d: $(a%d)\n", i, i+1)
	}
	actions := steps("issues", "    - uses: ./a0\n      with: {t: '${{ github.event.issue.title }}'}\n")
	for i := range 30 {
		actions += fmt.Sprintf("\n-- a%d/action.yml --\nname: x\ninputs: {t: {}}\nruns: {using: composite, steps: [{uses: ./a%d, with: {t: '${{ inputs.t }}'}}]}\n", i, i+1)
	}
	actions += "\n-- a30/action.yml --\nname: x\ninputs: {t: {}}\nruns: {using: composite, steps: [{run: 'echo ${{ inputs.t }}', shell: bash}]}\n"
	for name, c := range map[string]struct{ path, text string }{
		"variables": {"azure-pipelines.yml", chain.String() + "steps:\n" + strings.Repeat("- script: echo $(a0)\n", 300)},
		"actions":   {workflowPath, actions},
		"commands":  {".gitlab-ci.yml", jobsThatRefer(300) + ".x: {y: [" + strings.Repeat("a, ", 1000) + "b]}\n"},
	} {
		start := time.Now()
		r := judged(t, c.path, c.text)
		if len(r.Open) == 0 || !r.Open[0].Blocks {
			t.Errorf("%s: what was not followed counts as clean: %+v", name, r.Open)
		}
		if d := time.Since(start); d > 10*time.Second {
			t.Errorf("%s took %s", name, d)
		}
	}
}

func jobsThatRefer(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "j%d: {script: [!reference [.x, y]]}\n", i)
	}
	return b.String()
}
