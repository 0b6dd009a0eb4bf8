package main

import (
	"encoding/json"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
)

// poisoned is a folder that a server may run in and that nobody may be told of: a repository
// with a map and rules, a file, and keys under the name of a person.
func poisoned(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"verdict.yaml":      "schema: verdict/v1\nenvironments:\n  poisoned: {tier: prod}\npeople:\n  poisoned: {name: Poisoned}\npolicies: {bundle: policy}\n",
		"policy/rules.rego": "package verdict.poisoned\n",
		"poisoned":          "poisoned",
		"bill.json":         `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[{"type":"library","name":"poisoned","version":"1"}]}`,
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	h := &history{t: t, dir: dir}
	h.git("init", "-q", "-b", "poisoned")
	h.git("add", "-A")
	h.git("-c", "user.name=poisoned", "-c", "user.email=poisoned@example.org", "commit", "-qm", "poisoned")
	t.Chdir(dir)
	t.Setenv("VERDICT_MAP", filepath.Join(dir, "verdict.yaml"))
	t.Setenv("VERDICT_ENV", "poisoned")
}

// watchedGit puts in the place of git a program that notes that it was started, and gives where.
func watchedGit(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	noted := filepath.Join(dir, "started")
	if err := os.WriteFile(filepath.Join(dir, "git"), []byte("#!/bin/sh\necho \"$@\" >> '"+noted+"'\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
	return noted
}

// Who asks a server must not be told of the folder that it was started in: neither its map, nor
// its branches, files and variables have a say in an answer, or are in one.
func TestNoAnswerTellsOfTheMachineThatServes(t *testing.T) {
	x, c, _ := wholeAPI(t)
	poisoned(t)
	started := watchedGit(t)
	commit := "gitCommit:" + strings.Repeat("0123", 10)
	for _, path := range []string{"/why?ref=" + commit, "/trail?ref=" + commit, "/why?ref=" + commit[10:], "/artifacts/" + commit} {
		if status, body := x.get("viewer", "/api/v1"+path); status != 200 && status != 404 && status != 400 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	asked := 0
	for at, text := range x.everywhere("viewer", c) {
		asked++
		words, err := url.QueryUnescape(at)
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"oisoned", x.data, x.home, "local.pem"} {
			if strings.Contains(text, secret) && !strings.Contains(words, secret) {
				t.Errorf("%s tells %q of the machine: %.600s", at, secret, text)
			}
		}
	}
	if asked < 100 {
		t.Errorf("only %d questions were asked", asked)
	}
	for _, path := range []string{
		"/artifacts/poisoned", "/artifacts/.%2Fpoisoned", "/artifacts/HEAD", "/artifacts/localhost:5000%2Fpoisoned:v1", "/artifacts/~", "/artifacts/-",
		"/artifacts/bill.json/sbom", "/artifacts/-/sbom", "/keys/local.pem", "/keys/poisoned", "/environments/poisoned/changes?from=0",
	} {
		if status, body := x.get("viewer", "/api/v1"+path); status != 400 && status != 404 && status != 422 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if b, err := os.ReadFile(started); err == nil {
		t.Errorf("git was asked about the folder of the server: %s", b)
	}
}

// What is known of an artifact is listed as far as was asked for, the newest, and what is left out
// is said.
func TestWhatIsKnownOfAnArtifactIsBounded(t *testing.T) {
	x := servingData(t, oneImage(t))
	var all, one shownArtifact
	for query, into := range map[string]*shownArtifact{"": &all, "?limit=1": &one} {
		status, body := x.get("viewer", "/api/v1/artifacts/"+pictureD+query)
		if err := json.Unmarshal([]byte(body), into); status != 200 || err != nil {
			t.Fatalf("%d %v %s", status, err, body)
		}
	}
	if n := len(all.Evidence); n < 2 || len(one.Evidence) != 1 || one.Evidence[0].Entry != all.Evidence[n-1].Entry || !strings.Contains(strings.Join(one.Unknown, " "), "older piece") {
		t.Errorf("of %d pieces %d are listed, and not known is %q", n, len(one.Evidence), one.Unknown)
	}
	if len(one.Decisions) != len(all.Decisions) {
		t.Error("a decision is left out because its evidence is")
	}
}

// Keys are told as the ledger has them: which of them lie on the server's machine, and where, is
// for nobody to know.
func TestKeysOfAServerAreThoseOfTheLedger(t *testing.T) {
	x := servingData(t, oneImage(t))
	x.run("keys", "create", "spare")
	for _, path := range []string{"/api/v1/keys", "/api/v1/keys/local", "/api/v1/people"} {
		status, body := x.get("viewer", path)
		if status != 200 || !strings.Contains(body, `"person":"local"`) || strings.Contains(body, "spare") || strings.Contains(body, ".pem") {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
	if status, body := x.get("viewer", "/api/v1/keys/spare"); status != 404 {
		t.Errorf("a key that lies beside the data: %d %s", status, body)
	}
}

// A bill of many components is had in parts, and a part of another bill is not taken for one of
// this.
func TestABillIsHadInParts(t *testing.T) {
	x := servingData(t, func(run func(args ...string) string) {
		bill := filepath.Join(t.TempDir(), "bill.json")
		content := `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[{"type":"library","name":"a"},{"type":"library","name":"b"},{"type":"library","name":"c"}]}`
		if err := os.WriteFile(bill, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		run("attest", "sbom", bill, "--subject", pictured)
	})
	page := func(query string) (names, next string) {
		status, body := x.get("viewer", "/api/v1/artifacts/"+pictureD+"/sbom?limit=2"+query)
		doc, _ := decoded(t, body).(map[string]any)
		if status != 200 {
			t.Fatalf("%d %s", status, body)
		}
		for _, c := range doc["components"].([]any) {
			names += c.(map[string]any)["name"].(string)
		}
		next, _ = doc["next"].(string)
		return names, next
	}
	first, next := page("")
	rest, end := page("&cursor=" + next)
	if first != "ab" || rest != "c" || next == "" || end != "" {
		t.Errorf("%q, then %q, then %q", first, rest, end)
	}
	for _, cursor := range []string{"0-1", "1-4", "9999999999999999999-1"} {
		if status, body := x.get("viewer", "/api/v1/artifacts/"+pictureD+"/sbom?cursor="+cursor); status != 409 {
			t.Errorf("%s: %d %s", cursor, status, body)
		}
	}
}

// What is accepted leaves in the forms of others as the API's document says, and an empty
// statement is not written where nothing is to be stated.
func TestAcceptedRisksLeaveAsOthersReadThem(t *testing.T) {
	x := servingData(t, oneImage(t))
	schemas := schemasOf(t, x)
	day := time.Date(2026, 11, 20, 9, 0, 0, 0, time.UTC)
	one := verdict.Exception{
		ID: "x-1", Rule: "acme.deploy.findings", Items: []string{"CVE-2026-1@pkg:npm/left-pad@1.0.0"}, Service: "pay", Environments: []string{"production"},
		Digests: []verdict.Digest{pictureD}, Rationale: "no fix", Owner: "payments", RequestedBy: "zoe", ApprovedBy: []string{"noor"}, Created: day, Expires: day.AddDate(0, 0, 10),
	}
	vex, left := openVEX([]verdict.Exception{one}, "urn:verdict:vex:1", "key:k", day)
	if len(left) > 0 || len(vex.Statements) != 1 {
		t.Fatalf("%+v leaves %q", vex, left)
	}
	for route, doc := range map[string]any{"/api/v1/exceptions/openvex": vex, "/api/v1/exceptions/azure-policy": []exemption{exempting(one, "/assignment", "")}} {
		b, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		if err := schemas[route].Validate(decoded(t, string(b))); err != nil {
			t.Errorf("%s: %v\n%s", route, err, b)
		}
	}
	if status, body := x.get("viewer", "/api/v1/exceptions/openvex"); status != 404 || !strings.Contains(body, "nothing to state") {
		t.Errorf("%d %s", status, body)
	}
	if status, body := x.get("viewer", "/api/v1/exceptions/azure-policy?assignment=x"); status != 200 || strings.TrimSpace(body) != "[]" {
		t.Errorf("%d %s", status, body)
	}
}

// What changed in an environment is told as verdict diff tells it, and to nobody who may not see
// the service.
func TestChangesOfAnEnvironmentAreTold(t *testing.T) {
	x := servingData(t, func(run func(args ...string) string) {
		stated := filepath.Join(t.TempDir(), "deployment.json")
		content := `{"environment":"production","service":"shop","name":"ghcr.io/acme/shop","digest":"` + pictureD + `","at":"2020-01-01T00:00:00Z","run":"r1"}`
		if err := os.WriteFile(stated, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		oneImage(t)(run)
		run("attest", "deployment", stated, "--subject", pictured)
	})
	const path = "/api/v1/environments/production/changes?from=1"
	status, got := x.get("viewer", path)
	if status != 200 || !strings.Contains(got, `"what":"deployed"`) {
		t.Fatalf("%d %s", status, got)
	}
	want := x.run("diff", "production", "1", "now", "-o", "json")
	if a, b := boundless(t, got), boundless(t, want); a != b {
		t.Errorf("the API says\n%s\nthe command says\n%s", a, b)
	}
	if err := schemasOf(t, x)["/api/v1/environments/{environment}/changes"].Validate(decoded(t, got)); err != nil {
		t.Error(err)
	}
	if status, body := x.get("narrow", path); strings.Contains(body, "shop") {
		t.Errorf("%d %s", status, body)
	}
	for _, query := range []string{"?from=99", "?from=yesterday", "?from=now&to=1", ""} {
		if status, body := x.get("viewer", "/api/v1/environments/production/changes"+query); status != 400 && status != 422 {
			t.Errorf("%q: %d %s", query, status, body)
		}
	}
}

// boundless is a document of changes without the moments between which it was asked.
func boundless(t *testing.T, doc string) string {
	t.Helper()
	m, ok := decoded(t, doc).(map[string]any)
	if !ok {
		t.Fatal(doc)
	}
	for _, k := range []string{"from", "to", "map"} {
		delete(m, k)
	}
	return string(mustJSON(m))
}
