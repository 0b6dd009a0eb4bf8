package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"verdict"
	"verdict/identity"
	"verdict/server"
)

// served is a control plane over a data directory of its own.
type served struct {
	t      *testing.T
	host   *host
	http   *httptest.Server
	public *url.URL
	data   string
	home   string
}

// callersOf signs in whom a test names as bearer.
type callersOf map[string]identity.Caller

func (c callersOf) Authenticate(r *http.Request) (identity.Caller, error) {
	return c[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")], nil
}

func (c callersOf) Knows(r *http.Request) bool {
	_, known := c[strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")]
	return known
}

var testCallers = callersOf{
	"viewer": {Actor: "a-viewer", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}}},
	"narrow": {Actor: "a-narrow", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Scope{Services: []string{"elsewhere"}, Environments: []string{"*"}}}}},
	"dev":    {Actor: "a-dev", Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}},
	"prod":   {Actor: "a-prod", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Scope{Services: []string{"*"}, Environments: []string{"prod"}}}}},
	"away":   {Actor: "a-away", Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Scope{Services: []string{"elsewhere"}, Environments: []string{"*"}}}}},
}

// serving opens the data directory after fill has used it by commands.
func servingData(t *testing.T, fill func(run func(args ...string) string), more ...func(*host)) *served {
	t.Helper()
	x := &served{t: t, data: t.TempDir(), home: t.TempDir()}
	fill(x.run)
	a := &app{
		env: environment{"HOME": x.home}, stdin: bytes.NewReader(nil), stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		progress: &progress{}, config: config{Data: x.data},
	}
	a.log = (&serving{}).logger(a)
	w, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.close() })
	x.host = newHost(w)
	for _, change := range more {
		change(x.host)
	}
	public, _ := url.Parse("http://127.0.0.1:1")
	x.public = public
	s, err := x.host.server(t.Context(), public, testCallers)
	if err != nil {
		t.Fatal(err)
	}
	in, err := x.host.signIn("", public)
	if err != nil {
		t.Fatal(err)
	}
	in.Routes(s)
	x.http = httptest.NewServer(s.Handler())
	t.Cleanup(x.http.Close)
	return x
}

// run is a command on the data directory; it gives standard output.
func (x *served) run(args ...string) string {
	x.t.Helper()
	var out, errs bytes.Buffer
	env := []string{"HOME=" + x.home, "PATH=" + os.Getenv("PATH"), "VERDICT_DATA=" + x.data}
	if code := run(context.Background(), env, bytes.NewReader(nil), &out, &errs, args); code != 0 && code != 1 && code != 3 {
		x.t.Fatalf("verdict %s: %d\n%s%s", strings.Join(args, " "), code, out.String(), errs.String())
	}
	return out.String()
}

func (x *served) get(as, path string) (int, string) {
	x.t.Helper()
	return x.do(as, "GET", path, "")
}

func (x *served) do(as, method, path, body string) (int, string) {
	x.t.Helper()
	r, err := http.NewRequestWithContext(x.t.Context(), method, x.http.URL+path, strings.NewReader(body))
	if err != nil {
		x.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+as)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := x.http.Client().Do(r)
	if err != nil {
		x.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		x.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

const (
	pictured = "ghcr.io/acme/shop@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	pictureD = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
)

// recorded puts a decision about an image, and what it rests on, into the data directory.
func oneImage(t *testing.T) func(run func(args ...string) string) {
	return func(run func(args ...string) string) {
		dir := t.TempDir()
		bill := filepath.Join(dir, "bill.json")
		content := `{"bomFormat":"CycloneDX","specVersion":"1.6","version":1,"components":[{"type":"library","name":"lodash","version":"4.17.20","purl":"pkg:npm/lodash@4.17.20"}]}`
		if err := os.WriteFile(bill, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		run("attest", "sbom", bill, "--subject", pictured)
		run("artifact", "trust", pictured)
	}
}

// Every question of the API gives the document that its command writes, and that document
// is what the API's own description says.
func TestTheAPIAnswersAsTheCommandsDo(t *testing.T) {
	x := servingData(t, oneImage(t))
	schemas := schemasOf(t, x)
	for _, tt := range []struct {
		path, route string
		command     []string
	}{
		{"/api/v1/why?ref=" + pictureD, "/api/v1/why", []string{"why", pictureD}},
		{"/api/v1/why?ref=" + url.QueryEscape(pictured), "/api/v1/why", []string{"why", pictured}},
		{"/api/v1/trail?ref=" + pictureD, "/api/v1/trail", []string{"trail", pictureD}},
		{"/api/v1/environments", "/api/v1/environments", []string{"environments"}},
		{"/api/v1/findings?all=true", "/api/v1/findings", []string{"findings", "list", "--all"}},
		{"/api/v1/exceptions", "/api/v1/exceptions", []string{"exception", "list"}},
		{"/api/v1/where?what=" + url.QueryEscape("pkg:npm/lodash"), "/api/v1/where", []string{"where", "pkg:npm/lodash"}},
		{"/api/v1/artifacts/" + pictureD, "/api/v1/artifacts/{digest}", []string{"artifact", "show", pictureD}},
		{"/api/v1/artifacts/" + pictureD + "/sbom", "/api/v1/artifacts/{digest}/sbom", []string{"sbom", "show", pictureD}},
		{"/api/v1/map", "/api/v1/map", []string{"map", "show"}},
		{"/api/v1/policy", "/api/v1/policy", []string{"policy", "show"}},
		{"/api/v1/policies", "/api/v1/policies", []string{"policy", "list"}},
		{"/api/v1/log/key", "/api/v1/log/key", []string{"log", "key"}},
		{"/api/v1/why?at=2&ref=" + pictureD, "/api/v1/why", []string{"why", pictureD, "--at", "2"}},
	} {
		t.Run(tt.path, func(t *testing.T) {
			status, got := x.get("viewer", tt.path)
			if status != 200 {
				t.Fatalf("%d %s", status, got)
			}
			want := x.run(append(tt.command, "-o", "json", "--map", "testdata/none")[:len(tt.command)+2]...)
			if a, b := timeless(t, got), timeless(t, want); a != b {
				t.Errorf("the API says\n%s\nthe command says\n%s", a, b)
			}
			if err := schemas[tt.route].Validate(decoded(t, got)); err != nil {
				t.Errorf("the answer is not what the API's document says: %v", err)
			}
		})
	}
}

// timeless is a document without the times that differ between two questions, and without
// where the map came from that a folder has and a server has not.
func timeless(t *testing.T, doc string) string {
	t.Helper()
	v := decoded(t, doc)
	if m, ok := v.(map[string]any); ok {
		delete(m, "at")
		delete(m, "map")
	}
	b, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func decoded(t *testing.T, doc string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatalf("%v in %.300s", err, doc)
	}
	return v
}

// schemasOf compiles the schema of the answer of each GET route of the API's document.
func schemasOf(t *testing.T, x *served) map[string]*jsonschema.Schema {
	t.Helper()
	status, text := x.get("viewer", "/openapi.json")
	if status != 200 {
		t.Fatalf("%d %s", status, text)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("openapi.json", decoded(t, text)); err != nil {
		t.Fatal(err)
	}
	var doc struct {
		Paths map[string]map[string]struct {
			Responses map[string]struct {
				Content map[string]any `json:"content"`
			} `json:"responses"`
		} `json:"paths"`
	}
	if err := json.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	out := map[string]*jsonschema.Schema{}
	for path, methods := range doc.Paths {
		if _, ok := methods["get"].Responses["200"].Content["application/json"]; !ok {
			continue
		}
		at := "openapi.json#/paths/" + strings.ReplaceAll(url.PathEscape(path), "%2F", "~1") + "/get/responses/200/content/application~1json/schema"
		s, err := c.Compile(at)
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		out[path] = s
	}
	return out
}

// Who may read one service is told nothing of another one, not even that it is there.
func TestAScopeHidesWhatIsOutsideOfIt(t *testing.T) {
	x := servingData(t, oneImage(t))
	if _, all := x.get("viewer", "/api/v1/why?ref="+pictureD); !strings.Contains(all, "artifact.trust") {
		t.Fatalf("nothing is there to hide: %s", all)
	}
	for _, path := range []string{"/api/v1/why?ref=" + pictureD, "/api/v1/trail?ref=" + pictureD, "/api/v1/environments", "/api/v1/findings", "/api/v1/exceptions", "/api/v1/entries", "/api/v1/decisions", "/api/v1/running"} {
		status, body := x.get("narrow", path)
		if status != 200 {
			t.Errorf("%s: %d %s", path, status, body)
		}
		for _, secret := range []string{"artifact.trust\"", "lodash", "ghcr.io/acme/shop", `"d-`} {
			if strings.Contains(body, secret) {
				t.Errorf("%s tells %s to who may not see it: %s", path, secret, body)
			}
		}
	}
	for _, path := range []string{"/api/v1/entries/1", "/api/v1/entries/1/bundle", "/api/v1/where?what=" + url.QueryEscape("pkg:npm/lodash")} {
		if status, body := x.get("narrow", path); status != 404 && status != 403 {
			t.Errorf("%s: %d %s", path, status, body)
		}
	}
}

// Who may read every service, and not every environment, is answered where a component is.
func TestWhereIsAnsweredWithinEnvironments(t *testing.T) {
	x := servingData(t, oneImage(t))
	if status, body := x.get("prod", "/api/v1/where?what="+url.QueryEscape("pkg:npm/lodash")); status != 200 || !strings.Contains(body, "ghcr.io/acme/shop") {
		t.Errorf("what was built is of no environment: %d %s", status, body)
	}
}

// What a caller names is never looked for on the machine that the server runs on.
func TestAServerReadsNoFileThatACallerNames(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	for _, ref := range []string{"/etc/passwd", "host_test.go", "./host_test.go", "HEAD", "main", "..", "--data", "-o", "~", "file:///etc/passwd"} {
		status, body := x.get("viewer", "/api/v1/why?ref="+url.QueryEscape(ref))
		if status != 400 || !strings.Contains(body, "no digest, no commit in full and no decision") {
			t.Errorf("%s: %d %s", ref, status, body)
		}
	}
}

const askedSecrets = `{"point":"ci.secrets","subject":{"kind":"change","name":"x","digest":"gitCommit:0123456789012345678901234567890123456789"},"service":"","environment":"","trigger":"verdict ci","run":"","dry":false}`

func TestTheServerDecides(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	status, body := x.do("dev", "POST", "/api/v1/decisions", askedSecrets)
	var a struct {
		Decision struct {
			ID, Outcome, Enforced, Actor string
		}
		Entry *struct{ Index int64 }
	}
	if err := json.Unmarshal([]byte(body), &a); err != nil || status != 200 || a.Decision.Outcome != "error" || a.Decision.Enforced != "deny" || a.Decision.Actor != "a-dev" || a.Entry == nil {
		t.Fatalf("%d %v %s", status, err, body)
	}
	if _, why := x.get("viewer", "/api/v1/why?ref="+a.Decision.ID); !strings.Contains(why, a.Decision.ID) {
		t.Errorf("the decision was not recorded: %s", why)
	}
	before := x.entries()
	if status, body := x.do("dev", "POST", "/api/v1/decisions", strings.Replace(askedSecrets, `"dry":false`, `"dry":true`, 1)); status != 200 || strings.Contains(body, `"entry"`) {
		t.Errorf("%d %s", status, body)
	}
	if after := x.entries(); after != before {
		t.Errorf("a dry run recorded %d entries", after-before)
	}
	for _, tt := range []struct {
		name, as, body string
		status         int
		what           string
	}{
		{"who only reads asks nothing", "viewer", askedSecrets, 403, "decision.ask"},
		{"another service's", "away", askedSecrets, 403, "decision.ask"},
		{"a point that is not there", "dev", strings.Replace(askedSecrets, "ci.secrets", "ci.luck", 1), 422, "no point"},
		{"a gate by the asker's own map", "dev", `{"point":"deploy.gate","subject":{"kind":"artifact","name":"x","digest":"` + pictureD + `"},"service":"s","environment":"production","trigger":"verdict gate","run":"","dry":true,"map":{"file":"verdict.yaml","revision":"abc","content":"schema: verdict/v1\nenvironments: {production: {tier: prod}}\n"}}`, 422, "that the asker brings"},
		{"a map that is none", "dev", strings.Replace(askedSecrets, `"dry":false`, `"dry":true,"map":{"file":"verdict.yaml","revision":"abc","content":"points: ["}`, 1), 422, "verdict.yaml"},
	} {
		if status, body := x.do(tt.as, "POST", "/api/v1/decisions", tt.body); status != tt.status || !strings.Contains(body, tt.what) {
			t.Errorf("%s: %d %s", tt.name, status, body)
		}
	}
}

func (x *served) entries() int64 {
	x.t.Helper()
	c, err := x.host.base.own.Checkpoint(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return c.Size
}

// A server believes what somebody else's certificate says only by the authorities that its
// operator names, and verifies it itself.
func TestAServerVerifiesCertificatesByItsOwnRoot(t *testing.T) {
	send := func(x *served, identity string) (int, string) {
		body, err := json.Marshal(map[string]any{"evidence": []any{map[string]any{
			"bundle": json.RawMessage(fromTheWild(t)), "foreign": map[string]any{"identity": identity, "issuer": wildIssuer, "context": verdict.Context{At: time.Now(), Retention: "release", Nonce: []byte{}}},
		}}})
		if err != nil {
			t.Fatal(err)
		}
		return x.do("dev", "POST", "/api/v1/evidence", string(body))
	}
	none := servingData(t, func(func(...string) string) {})
	if status, body := send(none, wildIdentity); status != 422 || !strings.Contains(body, "verifies no certificates") {
		t.Errorf("without a root: %d %s", status, body)
	}
	x := servingData(t, func(func(...string) string) {}, func(h *host) {
		trusted, err := (&serving{trustedRoot: wild + "trusted_root.json"}).trusted(h.app)
		if err != nil {
			t.Fatal(err)
		}
		h.trusted = trusted
	})
	if status, body := send(x, wildIdentity+"x"); status != 422 || !strings.Contains(body, "was not made by") {
		t.Errorf("as somebody else: %d %s", status, body)
	}
	status, body := send(x, wildIdentity)
	if status != 200 || !strings.Contains(body, `"producer":"`+wildIdentity+" "+wildIssuer+`"`) || !strings.Contains(body, `"foreign":true`) {
		t.Errorf("%d %s", status, body)
	}
}

// Whoever watches is told of what is new, as far as he may see it.
func TestLiveEventsNameWhatIsNew(t *testing.T) {
	x := servingData(t, func(func(...string) string) {})
	r, err := http.NewRequestWithContext(t.Context(), "GET", x.http.URL+"/api/v1/events", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer viewer")
	res, err := x.http.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if status, body := x.do("dev", "POST", "/api/v1/decisions", askedSecrets); status != 200 {
		t.Fatalf("%d %s", status, body)
	}
	var heard strings.Builder
	buf := make([]byte, 4096)
	for !strings.Contains(heard.String(), `"kind":"decision"`) {
		n, err := res.Body.Read(buf)
		heard.Write(buf[:n])
		if err != nil {
			t.Fatalf("%v after %s", err, heard.String())
		}
	}
	if !strings.Contains(heard.String(), "event: changed") || !strings.Contains(heard.String(), `"point":"ci.secrets"`) {
		t.Errorf("heard %s", heard.String())
	}
}

var _ server.Authenticator = callersOf{}
