package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// acting are the words of somebody who writes a document that others have printed in
// terminals and pipelines.
const actingWords = "a\x1b]0;t\x07\n::error file=x::owned\r\n##vso[task.complete result=Succeeded]\n ##[error]x\u202eb\u009b31m"

// acts says what in a text would act in a terminal or pipeline; "" when nothing would.
func acts(text string) string {
	if !utf8.ValidString(text) {
		return "a byte that is not UTF-8"
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			return "the rune " + strings.Trim(string(mustJSON(string(r))), `"`)
		}
	}
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "::") || strings.HasPrefix(line, "##vso[") || strings.HasPrefix(line, "##[") {
			return "a command: " + line
		}
	}
	return ""
}

func mustJSON(v any) []byte {
	raw, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return raw
}

// hears runs a command and gives all that it said; the exit code is not what is asked.
func (p person) hears(args ...string) string {
	p.t.Helper()
	var out, talk bytes.Buffer
	env := []string{"HOME=" + p.home, "PATH=" + os.Getenv("PATH"), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1", "VERDICT_MAP=" + p.home + "/map.yaml"}
	run(context.Background(), env, strings.NewReader(""), &out, &talk, args)
	return out.String() + talk.String()
}

// What a document says of an artifact, a deployment or a person's reasons is printed by the
// commands that people and pipelines read. In none of them may it take over the terminal,
// write a line of its own, or end a job as succeeded.
func TestWordsOfDocumentsActInNoAnswer(t *testing.T) {
	p := newPerson(t)
	w := string(mustJSON(actingWords))
	p.file("map.yaml", deployedMap)
	one := image1("1")
	ref := one.Name + "@" + string(one.Digest)
	bill := `{"bomFormat":"CycloneDX","specVersion":"1.6","metadata":{"component":{"type":"application","name":` + w + `,"bom-ref":"a"}},"components":[
		{"type":"library","name":"lodash","version":"4.17.20","purl":"pkg:npm/lodash@4.17.20","licenses":[{"license":{"name":` + w + `}}]},
		{"type":"library","name":` + w + `,"version":` + w + `},
		{"type":"library","name":"x","purl":"pkg:npm/a%1B%0A%3A%3Aerror%3A%3Ax@1%1B%0A%23%23vso%5Bx%5D"}],"compositions":[{"aggregate":"complete","assemblies":["a"]}]}`
	vex := `{"@context":"https://openvex.dev/ns/v0.2.0","@id":"https://acme.example/vex","author":` + w + `,"timestamp":"2020-01-01T00:00:00Z","version":1,"statements":[
		{"vulnerability":{"name":"CVE-2026-1000"},"products":[{"@id":"pkg:npm/lodash@4.17.20"}],"status":"not_affected","justification":"component_not_present","impact_statement":` + w + `}]}`
	provenance := `{"buildDefinition":{"buildType":"https://ci.example/t/v1","externalParameters":{"repository":"https://github.com/acme/payments-api",` + w + `:` + w + `},
		"resolvedDependencies":[{"uri":"git+https://github.com/acme/payments-api@refs/heads/main","digest":{"gitCommit":"` + strings.Repeat("c", 40) + `"}}]},
		"runDetails":{"builder":{"id":"https://ci.example/` + "b" + `"},"metadata":{"invocationId":` + w + `}}}`
	odd := `{"buildDefinition":{"buildType":` + w + `,"externalParameters":{}},"runDetails":{"builder":{"id":` + w + `}}}`
	deployment := `{"environment":"production","service":"payments-api","name":"` + one.Name + `","digest":"` + string(one.Digest) + `","at":"2020-01-01T00:00:00Z","by":` + w + `,"run":` + w + `}`
	advisory := `{"schema_version":"1.7.0","id":"GHSA-aaaa-bbbb-cccc","modified":"2026-01-01T00:00:00Z","published":"2026-01-01T00:00:00Z","aliases":["CVE-2026-1000"],"summary":` + w + `,"details":` + w + `,
		"affected":[{"package":{"ecosystem":"npm","name":"lodash"},"ranges":[{"type":"SEMVER","events":[{"introduced":"0"},{"fixed":"4.17.21"}]}]}]}`

	said := map[string]string{}
	do := func(args ...string) { said[strings.Join(args, " ")] = p.hears(args...) }
	do("advisories", "import", p.file("advisory.json", advisory), "--name", "npm", "--covers", "npm", "--as-of", "2026-01-02T00:00:00Z")
	do("attest", "sbom", p.file("bom.json", bill), "--subject", ref, "--service", "payments-api")
	do("attest", "vex", p.file("vex.json", vex), "--subject", ref, "--service", "payments-api")
	do("attest", "provenance", p.file("provenance.json", provenance), "--subject", ref)
	do("attest", "provenance", p.file("odd.json", odd), "--subject", ref)
	do("attest", "deployment", p.file("deployment.json", deployment), "--subject", ref)
	do("attest", "outcome", "--env", "production", "--result", "incident", "--detail", actingWords, "--link", "https://x.example/"+actingWords, ref)
	for _, command := range [][]string{
		{"sbom", "validate", p.home + "/bom.json"}, {"sbom", "show", p.home + "/bom.json"}, {"sbom", "show", ref}, {"vex", "validate", p.home + "/vex.json"}, {"vex", "show", p.home + "/vex.json"},
		{"artifact", "show", ref}, {"artifact", "trust", ref, "--service", "payments-api"}, {"artifact", "trust", "x" + actingWords + "@" + string(one.Digest)},
		{"gate", "--env", "production", ref}, {"gate", "--env", actingWords, ref}, {"gate", "--env", "production", ref, "--requester", "github:" + actingWords},
		{"where", "pkg:npm/lodash"}, {"where", "--component", "a"}, {"where", "--component", actingWords}, {"where", "--licence", actingWords}, {"where", "CVE-2026-1000"}, {"where", "pkg:npm/" + actingWords},
		{"environments"}, {"environments", "production"}, {"diff", "production", "1", "now"}, {"findings", "list"}, {"findings", "list", "--all"},
		{"trail", ref}, {"why", ref}, {"advisories", "list"}, {"exception", "list"}, {"break-glass", "list"},
		{"approve", actingWords, "--as", "local", "--scope", actingWords, "--rationale", actingWords, "--expires", "1h"},
		{"exception", "add", "--rule", actingWords, "--service", "payments-api", "--env", "production", "--digest", string(one.Digest), "--rationale", actingWords, "--owner", "x", "--expires", "1h"},
		{"exception", "import", p.file("exemptions.json", `[{"name":`+w+`,"id":`+w+`,"properties":{"exemptionCategory":"Waiver","displayName":`+w+`,"description":`+w+`,"expiresOn":"2030-01-01T00:00:00Z","policyAssignmentId":`+w+`}}]`),
			"--format", "azure-policy", "--service", "payments-api", "--env", "production", "--owner", "x", "--rule", "deploy.gate.sla"},
	} {
		do(command...)
		if slices.Contains([]string{"artifact", "gate"}, command[0]) {
			do(append(command, "-o", "markdown")...)
		}
	}
	reached := 0
	for command, text := range said {
		if why := acts(text); why != "" {
			t.Errorf("verdict %q prints %s:\n%s", command, why, text)
		}
		if strings.Contains(text, `\x1b`) {
			reached++
		}
	}
	if reached < 12 {
		t.Errorf("of %d answers only %d show such words at all", len(said), reached)
	}
}
