package server

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// known signs in who sends his name as a bearer token, or as a cookie.
type known map[string]identity.Caller

func (k known) Authenticate(r *http.Request) (identity.Caller, error) {
	name, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if c, err := r.Cookie("who"); err == nil {
		name, ok = c.Value, true
	}
	if !ok {
		return identity.Caller{}, nil
	}
	if name == "away" {
		return identity.Caller{}, &verdict.Error{Code: verdict.CodeUnavailable, What: "the database does not answer", Remedy: "send it again"}
	}
	if c, ok := k[name]; ok {
		return c, nil
	}
	return identity.Caller{}, &verdict.Error{Code: verdict.CodeForbidden, What: "the token is not known", Remedy: "sign in again"}
}

var people = known{
	"dev":    {Actor: "a-dev", Grants: []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}},
	"viewer": {Actor: "a-viewer", Grants: []identity.Grant{{Role: identity.Viewer, Scope: identity.Anywhere()}}},
}

// Knows is for who is in the table.
func (k known) Knows(r *http.Request) bool {
	c, err := k.Authenticate(r)
	return err == nil && c.Actor != ""
}

// opened is a server on a new ledger, with whatever routes adds.
func opened(t *testing.T, l Limits, routes func(*Server)) *httptest.Server {
	t.Helper()
	s := made(t, l)
	routes(s)
	h := httptest.NewServer(s.Handler())
	t.Cleanup(h.Close)
	return h
}

func made(t testing.TB, l Limits) *Server {
	t.Helper()
	return madeOn(t, l, sqlite.Options{}, time.Now)
}

// madeOn is a server on a database with options, by a clock.
func madeOn(t testing.TB, l Limits, o sqlite.Options, now func() time.Time) *Server {
	t.Helper()
	dirOf := t.TempDir()
	engine, err := sqlite.Open(t.Context(), filepath.Join(dirOf, "ledger.db"), o)
	if err != nil {
		t.Fatal(err)
	}
	db, err := store.New(t.Context(), engine)
	if err != nil {
		t.Fatal(err)
	}
	logKey, err := evidence.CreateLogKey(filepath.Join(dirOf, "log.key"))
	if err != nil {
		t.Fatal(err)
	}
	key, err := evidence.CreateKey(filepath.Join(dirOf, "local.key"))
	if err != nil {
		t.Fatal(err)
	}
	blobs, err := dir.Open(filepath.Join(dirOf, "blobs"), dir.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	led, err := ledger.Open(t.Context(), ledger.Options{Store: db, Blobs: blobs, LogKey: logKey, Signer: key, AnchorDir: filepath.Join(dirOf, "anchor"), Now: now, Rand: rand.Reader})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = led.Close() })
	public, _ := url.Parse("http://verdict.test")
	s, err := New(Options{Ledger: led, Store: db, Auth: people, Now: now, Rand: rand.Reader, Version: "test", Origin: "log.example/test", PublicURL: public, Limits: l})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

type said struct {
	Body struct {
		Text string `json:"text" maxLength:"20"`
	}
}

type heard struct {
	Body struct {
		Text string `json:"text"`
		Nth  int64  `json:"nth"`
	}
}

// echo adds a write that counts how often it was done.
func echo(done *atomic.Int64) func(*Server) {
	return func(s *Server) {
		Route(s, Operation{Method: "POST", Path: "/echo", ID: "echo", Summary: "Say it again", Verb: identity.Stating},
			func(_ context.Context, _ identity.Caller, in *said) (*heard, error) {
				switch in.Body.Text {
				case "panic":
					panic("no")
				case "secret":
					return nil, io.ErrUnexpectedEOF
				case "down":
					done.Add(1)
					return nil, &verdict.Error{Code: verdict.CodeUnavailable, What: "down", Remedy: "wait"}
				}
				out := &heard{}
				out.Body.Text, out.Body.Nth = in.Body.Text, done.Add(1)
				return out, nil
			})
		Route(s, Operation{Method: "GET", Path: "/open", ID: "open", Summary: "For anybody", Public: true},
			func(_ context.Context, c identity.Caller, _ *struct{}) (*heard, error) {
				out := &heard{}
				out.Body.Text = c.Actor
				return out, nil
			})
	}
}

// ask sends a request and gives status, body and headers. Header lines are "Name: value".
func ask(t *testing.T, h *httptest.Server, method, path, body string, header ...string) (int, string, http.Header) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, h.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		r.Header.Set(name, value)
	}
	res, err := h.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res.StatusCode, string(b), res.Header
}

const dev = "Authorization: Bearer dev"

// Each of these requests must be refused with a problem that says what to do. One that comes
// through would let somebody write without the right, or as somebody else.
func TestTheBorderRefuses(t *testing.T) {
	var done atomic.Int64
	h := opened(t, Limits{Body: 4096}, echo(&done))
	const hi = `{"text":"hi"}`
	for _, tt := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		what                     string
	}{
		{"nobody is signed in", "POST", "/api/v1/echo", hi, nil, 401, "nobody is signed in"},
		{"a token that is not known", "POST", "/api/v1/echo", hi, []string{"Authorization: Bearer mallory"}, 401, "not known"},
		{"a role without the verb", "POST", "/api/v1/echo", hi, []string{"Authorization: Bearer viewer"}, 403, "evidence.write"},
		{"a page elsewhere with the cookie", "POST", "/api/v1/echo", hi, []string{"Cookie: who=dev", "Origin: https://evil.test"}, 403, "another origin"},
		{"a form without any origin, with the cookie", "POST", "/api/v1/echo", hi, []string{"Cookie: who=dev"}, 403, "another origin"},
		{"a sibling site with the cookie", "POST", "/api/v1/echo", hi, []string{"Cookie: who=dev", "Origin: http://verdict.test", "Sec-Fetch-Site: same-site"}, 403, "another origin"},
		{"a body that is too large", "POST", "/api/v1/echo", `{"text":"` + strings.Repeat("x", 5000) + `"}`, []string{dev}, 413, ""},
		{"a body that is nested too deep", "POST", "/api/v1/echo", strings.Repeat("[", 200) + strings.Repeat("]", 200), []string{dev}, 400, "deeper"},
		{"a member twice", "POST", "/api/v1/echo", `{"text":"a","text":"b"}`, []string{dev}, 400, "twice"},
		{"two values", "POST", "/api/v1/echo", hi + hi, []string{dev}, 400, "more than one"},
		{"a member that does not exist", "POST", "/api/v1/echo", `{"text":"a","admin":true}`, []string{dev}, 422, "admin"},
		{"a value beyond its bound", "POST", "/api/v1/echo", `{"text":"` + strings.Repeat("x", 30) + `"}`, []string{dev}, 422, "20"},
		{"a parameter that does not exist", "GET", "/api/v1/open?x=1", "", nil, 422, "x"},
		{"no such path", "GET", "/api/v1/nothing", "", nil, 404, "nothing at this path"},
		{"a path with dots", "GET", "/api/v1/../v1/open", "", nil, 400, "plain form"},
		{"a path with hidden dots", "GET", "/api/v1/%2e%2e/v1/open", "", nil, 400, "plain form"},
		{"a defect tells nothing of the inside", "POST", "/api/v1/echo", `{"text":"secret"}`, []string{dev}, 500, "a defect in Verdict"},
		{"a panic is a defect", "POST", "/api/v1/echo", `{"text":"panic"}`, []string{dev}, 500, "a defect in Verdict"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			before := done.Load()
			status, body, header := ask(t, h, tt.method, tt.path, tt.body, tt.header...)
			var p Problem
			if err := json.Unmarshal([]byte(body), &p); err != nil {
				t.Fatalf("%d %s: %v", status, body, err)
			}
			if status != tt.status || p.Status != status || p.Remedy == "" || p.Code == "" || !strings.Contains(p.What, tt.what) {
				t.Errorf("got %d %+v, want %d with %q", status, p, tt.status, tt.what)
			}
			if got := header.Get("Content-Type"); got != "application/problem+json" {
				t.Errorf("content type %q", got)
			}
			if strings.Contains(body, "unexpected EOF") {
				t.Errorf("the answer tells the inside: %s", body)
			}
			if done.Load() != before {
				t.Error("it was done all the same")
			}
		})
	}
}

func TestWhoMayIsAnswered(t *testing.T) {
	var done atomic.Int64
	h := opened(t, Limits{}, echo(&done))
	status, body, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev)
	if status != 200 || !strings.Contains(body, `"hi"`) {
		t.Fatalf("%d %s", status, body)
	}
	for name, want := range map[string]string{"X-Frame-Options": "DENY", "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"} {
		if got := header.Get(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
	if status, _, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, "Cookie: who=dev", "Origin: http://verdict.test", "Sec-Fetch-Site: same-origin"); status != 200 {
		t.Errorf("the server's own page is refused: %d", status)
	}
	if status, body, _ := ask(t, h, "GET", "/api/v1/open", "", "Authorization: Bearer mallory"); status != 200 || !strings.Contains(body, `"text":""`) {
		t.Errorf("a public route answers a bad token as somebody: %d %s", status, body)
	}
}

// A pipeline that lost the answer sends its write again. It must not count twice.
func TestAKeyIsDoneOnce(t *testing.T) {
	var done atomic.Int64
	h := opened(t, Limits{}, echo(&done))
	key := IdempotencyKey + ": 11111111-1111-1111-1111-111111111111"
	_, first, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, key)
	status, again, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, key)
	if status != 200 || again != first || header.Get("Idempotent-Replayed") != "true" || done.Load() != 1 {
		t.Errorf("sent again: %d %s (first %s), done %d times", status, again, first, done.Load())
	}
	if status, body, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"other"}`, dev, key); status != 422 || !strings.Contains(body, "another request") {
		t.Errorf("the key of another request: %d %s", status, body)
	}
	if done.Load() != 1 {
		t.Errorf("done %d times", done.Load())
	}
	key = IdempotencyKey + ": 2"
	for range 2 { // an outage is tried again
		ask(t, h, "POST", "/api/v1/echo", `{"text":"down"}`, dev, key)
	}
	if done.Load() != 3 {
		t.Errorf("after an outage it was tried %d times", done.Load()-1)
	}
}

// Who hangs up in the middle of a write and sends it again is who a key is for.
func TestAKeyHoldsForWhoHungUp(t *testing.T) {
	var done atomic.Int64
	arrived, goOn := make(chan struct{}), make(chan struct{})
	h := opened(t, Limits{}, func(s *Server) {
		Route(s, Operation{Method: "POST", Path: "/slow", ID: "slow", Summary: "Take a while", Verb: identity.Stating},
			func(context.Context, identity.Caller, *said) (*heard, error) {
				if done.Add(1) == 1 {
					close(arrived)
					<-goOn
				}
				return &heard{}, nil
			})
	})
	ctx, hangUp := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, "POST", h.URL+"/api/v1/slow", strings.NewReader(`{"text":"hi"}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer dev")
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set(IdempotencyKey, "k")
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		if res, err := h.Client().Do(r); err == nil {
			_ = res.Body.Close()
		}
	}()
	<-arrived
	hangUp()
	<-gone
	time.Sleep(100 * time.Millisecond) // until the server has noticed
	close(goOn)
	for deadline := time.Now().Add(5 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		status, body, header := ask(t, h, "POST", "/api/v1/slow", `{"text":"hi"}`, "Authorization: Bearer dev", IdempotencyKey+": k")
		if status == 200 && header.Get("Idempotent-Replayed") == "true" {
			break
		}
		if time.Now().After(deadline) || status != 409 {
			t.Fatalf("sent again: %d %s", status, body)
		}
	}
	if done.Load() != 1 {
		t.Errorf("done %d times", done.Load())
	}
}

func TestACallerIsHeldToHisRate(t *testing.T) {
	var done atomic.Int64
	h := opened(t, Limits{Rate: 5, Anonymous: 5}, echo(&done))
	last := 0
	for range 30 {
		last, _, _ = ask(t, h, "GET", "/api/v1/open", "")
	}
	if last != 429 {
		t.Errorf("the thirtieth request of nobody was answered %d", last)
	}
	if status, _, _ := ask(t, h, "GET", "/api/v1/open", "", dev); status != 200 {
		t.Errorf("somebody pays for nobody: %d", status)
	}
}

// While the store is away nobody can be told from a stranger, and none is punished as one: a
// pipeline that is told of an outage tries again.
func TestAnOutageOfTheSignInIsNoRateLimit(t *testing.T) {
	var done atomic.Int64
	h := opened(t, Limits{Anonymous: 2}, echo(&done))
	for range 20 {
		if status, body, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, "Authorization: Bearer away"); status != 503 || header.Get("Retry-After") == "" {
			t.Fatalf("%d %s", status, body)
		}
	}
}

func TestTheDocumentIsOpenAPI(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{})
	echo(&done)(s)
	b, err := s.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(b, []byte(`"openapi":"3.1.0"`)) || !bytes.Contains(b, []byte(`"/api/v1/echo"`)) {
		t.Errorf("%.200s", b)
	}
}

// A command reads dozens of times: an operator who looks for what was written, or refused, must
// not look for it between what was read.
func TestTheLogTellsWhatWasWrittenAndRefused(t *testing.T) {
	var logged bytes.Buffer
	var done atomic.Int64
	s := made(t, Limits{})
	s.o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	echo(&done)(s)
	h := httptest.NewServer(s.Handler())
	defer h.Close()
	ask(t, h, "GET", "/api/v1/open", "")
	if logged.Len() > 0 {
		t.Errorf("what was read is told: %s", logged.String())
	}
	ask(t, h, "GET", "/api/v1/nothing", "")
	ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, "Authorization: Bearer dev", "Content-Type: application/json")
	if out := logged.String(); strings.Count(out, "\n") != 2 || !strings.Contains(out, "status=404") || !strings.Contains(out, "operation=echo method=POST status=200 actor=a-dev") {
		t.Errorf("what was refused and what was written: %s", out)
	}
}
