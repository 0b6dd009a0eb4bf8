package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict/identity"
	"verdict/ledger"
)

// archiveOf packs the files of a folder in a script.
func archiveOf(t *testing.T, script, folder string) []byte {
	t.Helper()
	a, err := txtar.ParseFile(filepath.Join("testdata", "script", script+".txtar"))
	if err != nil {
		t.Fatal(err)
	}
	var all []member
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, folder+"/"); ok {
			all = append(all, member{name: name, body: string(f.Data)})
		}
	}
	return tarOf(t, all...)
}

// decided is the first decision about the image.
func (x *served) decided(t *testing.T) string {
	t.Helper()
	rows, err := x.host.base.own.Decisions(t.Context(), ledger.DecisionQuery{At: ledger.Now, Limit: 1})
	if err != nil || len(rows) == 0 {
		t.Fatalf("no decision: %v", err)
	}
	return rows[0].ID
}

// Whoever may see a decision has it taken again without a copy of the ledger, and is given what
// the command says there; whoever may not is not told that it is there.
func TestADecisionIsTakenAgainOverTheAPI(t *testing.T) {
	x := servingData(t, oneImage(t))
	id := x.decided(t)
	ask := fmt.Sprintf(`{"decision":%q}`, id)
	status, body := x.do("viewer", "POST", "/api/v1/policy/replays", ask)
	if status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	if a, b := timeless(t, body), timeless(t, x.run("policy", "replay", id, "-o", "json")); a != b {
		t.Errorf("the API says\n%s\nthe command says\n%s", a, b)
	}
	x.promised(t, "post", "/api/v1/policy/replays", body)
	var doc replayed
	if err := json.Unmarshal([]byte(body), &doc); err != nil || !doc.Same {
		t.Errorf("%v %s", err, body)
	}
	if status, body := x.do("narrow", "POST", "/api/v1/policy/replays", ask); status != 404 || strings.Contains(body, "defect") {
		t.Errorf("who does not see it: %d %s", status, body)
	}
	for _, bad := range []string{`{}`, `{"decision":""}`, `{"decision":"d-none"}`, `{"decision":"../../etc/passwd"}`} {
		if status, body := x.do("viewer", "POST", "/api/v1/policy/replays", bad); status < 400 || status >= 500 || strings.Contains(body, "defect") {
			t.Errorf("%s: %d %s", bad, status, body)
		}
	}
}

// A security lead or auditor tries rules on what was decided, and hears what the command says;
// nobody else makes the server work so, and no one twice at once.
func TestRulesAreTriedOnWhatWasDecidedOverTheAPI(t *testing.T) {
	x := servingData(t, oneImage(t))
	rules := archiveOf(t, "policy-backtest", "v2")
	const path = "/api/v1/policy/backtests"
	ask := fmt.Sprintf(`{"rules":%q}`, base64.StdEncoding.EncodeToString(rules))
	file := put(t, filepath.Join(t.TempDir(), "rules.tar.gz"), rules)
	for _, role := range identity.Roles {
		status, body := x.do("of-"+string(role), "POST", path, ask)
		if may := role == identity.Security || role == identity.Auditor; may != (status == 200) || !may && status != 403 {
			t.Fatalf("%s: %d %s", role, status, body)
		}
		if status != 200 {
			continue
		}
		x.promised(t, "post", path, body)
		var doc backtestReport
		if err := json.Unmarshal([]byte(body), &doc); err != nil || doc.Decisions == 0 {
			t.Errorf("nothing was judged: %v %s", err, body)
		}
		want := x.run("policy", "backtest", "--policy", file, "--limit", "1000", "-o", "json")
		if a, b := untimed(t, body), untimed(t, want); a != b {
			t.Errorf("the API says\n%s\nthe command says\n%s", a, b)
		}
	}
	var doc backtestReport
	status, body := x.do("in-auditor", "POST", path, ask)
	if err := json.Unmarshal([]byte(body), &doc); err != nil || status != 200 || doc.Decisions != 0 {
		t.Errorf("who sees none of them: %d %s", status, body)
	}
	for _, bad := range []string{
		`{}`, `{"rules":"AAAA"}`, `{"release":1}`, fmt.Sprintf(`{"rules":%q,"release":1}`, base64.StdEncoding.EncodeToString(rules)), `{"rules":"` + strings.Repeat("A", 5<<20) + `"}`,
		strings.Replace(ask, "}", `,"since":"yesterday"}`, 1), strings.Replace(ask, "}", `,"limit":1000000}`, 1), strings.Replace(ask, "}", `,"policy":"/etc"}`, 1),
	} {
		if status, body := x.do("of-auditor", "POST", path, bad); status < 400 || status >= 500 || strings.Contains(body, "defect") {
			t.Errorf("%.60s: %d %s", bad, status, body)
		}
	}
	leave, err := x.host.enterBacktest(testCallers["of-auditor"])
	if err != nil {
		t.Fatal(err)
	}
	if status, body := x.do("of-auditor", "POST", path, ask); status != 409 {
		t.Errorf("a second one: %d %s", status, body)
	}
	other, err := x.host.enterBacktest(testCallers["of-admin"])
	if err != nil {
		t.Fatal(err)
	}
	if status, body := x.do("of-security", "POST", path, ask); status != 503 {
		t.Errorf("a third one: %d %s", status, body)
	}
	leave()
	other()
	if status, body := x.do("of-auditor", "POST", path, ask); status != 200 {
		t.Errorf("after their end: %d %s", status, body)
	}
}

// untimed is a backtest without what differs from one asking to the next.
func untimed(t *testing.T, doc string) string {
	t.Helper()
	m, ok := decoded(t, doc).(map[string]any)
	if !ok {
		t.Fatalf("no document: %s", doc)
	}
	delete(m, "since")
	delete(m, "policy")
	b, err := json.MarshalIndent(m, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// promised holds an answer against what the API's document says of it.
func (x *served) promised(t *testing.T, method, path, body string) {
	t.Helper()
	_, text := x.get("viewer", "/openapi.json")
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", decoded(t, text)); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("openapi.json#/paths/" + strings.ReplaceAll(path, "/", "~1") + "/" + method + "/responses/200/content/application~1json/schema")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(decoded(t, body)); err != nil {
		t.Errorf("the answer is not what the document says: %v\n%s", err, body)
	}
}
