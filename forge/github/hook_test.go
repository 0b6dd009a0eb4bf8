package github

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/forge"
)

const (
	oldSecret = "the secret before"
	newSecret = "the secret now"
	appID     = 29310 // that of the payloads
)

var appPEM = sync.OnceValue(func() []byte {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(k)})
})

func app(t testing.TB, api string, o forge.Options) *App {
	t.Helper()
	a, err := NewApp(AppOptions{API: api, ID: appID, Key: appPEM(), Secrets: forge.Secrets{[]byte(oldSecret), []byte(newSecret)}, Options: o})
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func signed(secret, name string, body []byte) http.Header {
	m := hmac.New(sha256.New, []byte(secret))
	m.Write(body)
	return http.Header{
		"X-Hub-Signature-256": {"sha256=" + hex.EncodeToString(m.Sum(nil))}, "X-Github-Delivery": {"72d3162e-cc78-11e3-81ab-4c9367dc0958"},
		"X-Github-Event": {name}, "Content-Type": {"application/json"},
	}
}

// The payloads are those that GitHub sends. Those of a repository's own webhook name no
// installation: they lead nowhere by themselves, and are told.
func TestRecordedDeliveriesLeadWhereTheyShould(t *testing.T) {
	root := os.Getenv("VERDICT_CORPORA")
	files, err := filepath.Glob(filepath.Join(root, "github", "webhooks", "*.json"))
	if err != nil || len(files) == 0 {
		t.Skipf("SKIP the payloads of GitHub: VERDICT_CORPORA names no folder with github/webhooks: %v", err)
	}
	a := app(t, publicAPI, forge.Options{})
	led := map[forge.EventKind]int{}
	for _, f := range files {
		body, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		name, _, _ := strings.Cut(filepath.Base(f), "--")
		if _, err := a.Receive(signed(newSecret, name, body), strings.NewReader(string(body))); err != nil && !strings.Contains(err.Error(), "installation") {
			t.Errorf("%s: %v", f, err)
		}
		d, err := a.Receive(signed(oldSecret, name, installed(t, body)), strings.NewReader(string(installed(t, body))))
		if err != nil {
			t.Errorf("%s: %v", f, err)
		}
		led[d.Event.Kind]++
		base := filepath.Base(f)
		want := forge.Nowhere
		if strings.HasPrefix(base, "check_suite--requested") {
			want = forge.Changed
		}
		if d.Event.Kind != want {
			t.Errorf("%s leads to %q, want %q", base, d.Event.Kind, want)
		}
		if d.Event.Kind != forge.Nowhere && (d.Event.Repo != "Codertocat/Hello-World" || !strings.Contains(string(body), `"head_sha": "`+d.Event.Commit+`"`) || len(d.Event.Commit) != 40) {
			t.Errorf("%s: %+v", base, d.Event)
		}
		// The same pull request, opened.
		if name == "pull_request" {
			opened := installed(t, []byte(strings.Replace(string(body), `"action": "`, `"action": "opened", "was": "`, 1)))
			d, err := a.Receive(signed(newSecret, name, opened), strings.NewReader(string(opened)))
			if err != nil || d.Event.Kind != forge.Changed || d.Event.Request != "2" || d.Event.At.IsZero() {
				t.Errorf("%s, opened: %+v, %v", base, d.Event, err)
			}
		}
	}
	t.Logf("%d recorded deliveries: %v", len(files), led)
	if led[forge.Changed] == 0 || led[forge.Nowhere] < 20 {
		t.Errorf("%v", led)
	}
}

// installed is a payload as the app's webhook sends it.
func installed(t *testing.T, body []byte) []byte {
	t.Helper()
	var p map[string]any
	if err := json.Unmarshal(body, &p); err != nil {
		t.Fatal(err)
	}
	p["installation"] = map[string]any{"id": 5}
	out, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

const deployment = `{"action":"requested","environment":"production","event":"push","deployment_callback_url":"%s",
	"deployment":{"sha":"1111111111111111111111111111111111111111","environment":"production","updated_at":"2026-03-01T10:00:00Z","creator":{"login":"jane","id":7}},
	"repository":{"id":3,"full_name":"acme/house","html_url":"https://github.com/acme/house"},"installation":{"id":5},"sender":{"login":"robot","id":8,"type":"Bot"}}`

// Whoever forges, tampers or dresses up a delivery must not make the server act.
func TestDeliveriesThatAreNotGitHubsAreRefused(t *testing.T) {
	a := app(t, publicAPI, forge.Options{})
	body := []byte(fmt.Sprintf(deployment, publicAPI+"/repos/acme/house/actions/runs/9/deployment_protection_rule"))
	const name = "deployment_protection_rule"
	d, err := a.Receive(signed(newSecret, name, body), strings.NewReader(string(body)))
	if err != nil || d.Event.Kind != forge.Deploys || d.Event.Environment != "production" || d.Event.Requester.ID != "7" || d.ID == "" || !d.Event.At.Equal(time.Date(2026, 3, 1, 10, 0, 0, 0, time.UTC)) {
		t.Fatalf("%+v, %v", d, err)
	}
	with := func(key string, values ...string) http.Header {
		h := signed(newSecret, name, body)
		delete(h, key)
		if len(values) > 0 {
			h[key] = values
		}
		return h
	}
	good := signed(newSecret, name, body).Get("X-Hub-Signature-256")
	for _, c := range []struct {
		what string
		head http.Header
		body string
		code verdict.Code
	}{
		{"no signature", with("X-Hub-Signature-256"), string(body), verdict.CodeForbidden},
		{"the older signature alone", with("X-Hub-Signature-256", strings.Replace(good, "sha256", "sha1", 1)), string(body), verdict.CodeForbidden},
		{"a signature by another secret", signed("guess", name, body), string(body), verdict.CodeForbidden},
		{"a signature by no secret", signed("", name, body), string(body), verdict.CodeForbidden},
		{"two signatures", with("X-Hub-Signature-256", good, good), string(body), verdict.CodeForbidden},
		{"half a signature", with("X-Hub-Signature-256", good[:40]), string(body), verdict.CodeForbidden},
		{"another body", with("X-Hub-Signature-256", good), strings.Replace(string(body), "production", "staging", 1), verdict.CodeForbidden},
		{"a body with a tail", with("X-Hub-Signature-256", good), string(body) + " ", verdict.CodeForbidden},
		{"a form", with("Content-Type", "application/x-www-form-urlencoded"), string(body), verdict.CodeInvalid},
		{"no name of the delivery", with("X-Github-Delivery"), string(body), verdict.CodeInvalid},
		{"a name that is a path", with("X-Github-Delivery", "../../etc/passwd"), string(body), verdict.CodeInvalid},
	} {
		_, err := a.Receive(c.head, strings.NewReader(c.body))
		if e := verdict.AsError(err); err == nil || e.Code != c.code || e.Remedy == "" || strings.Contains(err.Error(), newSecret) {
			t.Errorf("%s: %v", c.what, err)
		}
	}
	if d, err := a.Receive(with("X-Github-Event", "check_run"), strings.NewReader(string(body))); err != nil || d.Event.Kind != forge.Nowhere {
		t.Errorf("the name of the event is not signed, and another one leads to %+v, %v", d.Event, err)
	}
	if _, err := a.Receive(signed(newSecret, name, body), &endless{}); verdict.AsError(err).Code != verdict.CodeLimit {
		t.Errorf("a body without end: %v", err)
	}
}

// endless never ends.
type endless struct{}

func (*endless) Read(p []byte) (int, error) { return len(p), nil }

// The address of the answer is the sender's. A token sent elsewhere is lost.
func TestAnswersGoToOurGitHubAlone(t *testing.T) {
	a := app(t, "https://ghe.example/api/v3", forge.Options{})
	for _, at := range []string{
		"http://169.254.169.254/repos/acme/house/actions/runs/9/deployment_protection_rule", "https://evil.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule",
		"http://ghe.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule", "https://ghe.example/api/v30/repos/acme/house/actions/runs/9/deployment_protection_rule",
		"https://ghe.example@evil.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule", "https://x@ghe.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule",
		"https://ghe.example/api/v3/repos/acme/other/actions/runs/9/deployment_protection_rule", "https://ghe.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule/../../x",
		"https://ghe.example/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule?x=1", "https://ghe.example/api/v3/repos/acme/house/actions/runs/-1/deployment_protection_rule",
		"https://ghe.example:444/api/v3/repos/acme/house/actions/runs/9/deployment_protection_rule", "", "localhost", "file:///etc/passwd",
	} {
		body := []byte(fmt.Sprintf(deployment, at))
		if d, err := a.Receive(signed(newSecret, "deployment_protection_rule", body), strings.NewReader(string(body))); verdict.AsError(err) == nil || verdict.AsError(err).Code != verdict.CodeInvalid || d.ID == "" {
			t.Errorf("%s: %+v, %v", at, d, err)
		}
	}
	good := []byte(fmt.Sprintf(deployment, "https://ghe.example/api/v3/repos/Acme/House/actions/runs/9/deployment_protection_rule"))
	if d, err := a.Receive(signed(newSecret, "deployment_protection_rule", good), strings.NewReader(string(good))); err != nil || !strings.Contains(string(d.Event.Reply), `"run":9`) {
		t.Errorf("%s, %v", d.Event.Reply, err)
	}
}

func TestARerunOfSomebodyElsesCheckIsNotOurs(t *testing.T) {
	a := app(t, publicAPI, forge.Options{})
	const body = `{"action":"rerequested","check_run":{"head_sha":"1111111111111111111111111111111111111111","app":{"id":%d}},"repository":{"id":3,"full_name":"acme/house"},"installation":{"id":5}}`
	for id, want := range map[int]forge.EventKind{appID: forge.Changed, 1: forge.Nowhere} {
		b := []byte(fmt.Sprintf(body, id))
		if d, err := a.Receive(signed(newSecret, "check_run", b), strings.NewReader(string(b))); err != nil || d.Event.Kind != want {
			t.Errorf("%d: %+v, %v", id, d.Event, err)
		}
	}
}

// FuzzHook: whoever has the secret of a webhook sends what he likes.
func FuzzHook(f *testing.F) {
	a := app(f, publicAPI, forge.Options{})
	f.Add("deployment_protection_rule", []byte(fmt.Sprintf(deployment, publicAPI+"/repos/acme/house/actions/runs/9/deployment_protection_rule")))
	f.Add("pull_request", []byte(`{"action":"opened","pull_request":{"number":1,"updated_at":"2026-03-01T10:00:00Z","head":{"sha":"1111111111111111111111111111111111111111"}},"repository":{"id":1,"full_name":"a/b"},"installation":{"id":1}}`))
	f.Add("check_suite", []byte(`{"action":"requested","check_suite":{"head_sha":"1111111111111111111111111111111111111111"},"repository":{"id":1,"full_name":"a/b"},"installation":{"id":1}}`))
	f.Add("ping", []byte(`{"zen":"x"}`))
	f.Fuzz(func(t *testing.T, name string, body []byte) {
		e, err := a.event(name, body)
		if err != nil {
			if verdict.AsError(err).Code == verdict.CodeInternal {
				t.Fatalf("an error without a remedy: %v", err)
			}
			return
		}
		var at place
		if e.Kind != forge.Nowhere && (!forge.Hex(e.Commit) || !repoShape.MatchString(e.Repo) || json.Unmarshal(e.Reply, &at) != nil || at.Installation <= 0 || at.Repository <= 0) {
			t.Fatalf("leads to %q without saying where: %+v", e.Kind, e)
		}
		if e.Kind == forge.Deploys && (at.Run <= 0 || e.Environment == "") {
			t.Fatalf("a deployment without run or environment: %+v", e)
		}
	})
}
