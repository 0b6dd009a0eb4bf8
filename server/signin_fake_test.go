package server

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/ledger"
	"verdict/server/within"
	"verdict/store"
	"verdict/store/sqlite"
)

const publicURL = "https://verdict.test"

// issuer is an issuer on this machine: of workloads, and of people by the code flow with PKCE.
type fakeIssuer struct {
	*httptest.Server
	key   *rsa.PrivateKey
	house *door
	mu    sync.Mutex
	codes map[string]url.Values // what was asked for, by the code given for it
	says  map[string]any        // claims of the person who signs in
}

var issuerKey = sync.OnceValue(func() *rsa.PrivateKey {
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return k
})

func newIssuer(d *door) *fakeIssuer {
	f := &fakeIssuer{key: issuerKey(), house: d, codes: map[string]url.Values{}}
	f.Server = httptest.NewServer(http.HandlerFunc(f.serve))
	d.t.Cleanup(f.Close)
	return f
}

func (f *fakeIssuer) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(token.Discovery{Issuer: f.URL, Keys: f.URL + "/keys", Authorization: f.URL + "/authorize", Token: f.URL + "/token"})
	case "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &f.key.PublicKey, KeyID: "k1"}}})
	case "/authorize":
		code := rand.Text()
		f.codes[code] = r.URL.Query()
		http.Redirect(w, r, r.URL.Query().Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {r.URL.Query().Get("state")}}.Encode(), http.StatusFound)
	case "/token":
		_ = r.ParseForm()
		asked, known := f.codes[r.Form.Get("code")]
		delete(f.codes, r.Form.Get("code"))
		sum := sha256.Sum256([]byte(r.Form.Get("code_verifier")))
		id, secret, _ := r.BasicAuth()
		if !known || asked.Get("code_challenge_method") != "S256" || asked.Get("code_challenge") != base64.RawURLEncoding.EncodeToString(sum[:]) ||
			asked.Get("redirect_uri") != r.Form.Get("redirect_uri") || id != "client" || secret != "hunter2" {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = io.WriteString(w, `{"error":"invalid_grant"}`)
			return
		}
		claims := map[string]any{"aud": "client", "nonce": asked.Get("nonce"), "sub": "pairwise", "oid": "oid-jane", "name": "Jane Doe", "email": "jane@example.com"}
		maps.Copy(claims, f.says)
		_ = json.NewEncoder(w).Encode(map[string]string{"id_token": f.token(claims)})
	default:
		http.NotFound(w, r)
	}
}

// token is a token of the issuer that holds, with claims changed.
func (f *fakeIssuer) token(changes map[string]any) string {
	now := f.house.clock()
	c := map[string]any{"iss": f.URL, "aud": publicURL, "sub": "s", "jti": rand.Text(), "iat": now.Unix(), "exp": now.Add(5 * time.Minute).Unix()}
	maps.Copy(c, changes)
	b, _ := json.Marshal(c)
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: f.key, KeyID: "k1"}}, nil)
	if err != nil {
		panic(err)
	}
	x, err := s.Sign(b)
	if err != nil {
		panic(err)
	}
	out, _ := x.CompactSerialize()
	return out
}

// door is a server that people and machines sign in to.
type door struct {
	t      *testing.T
	server *Server
	signIn *SignIn
	http   *httptest.Server
	issuer *fakeIssuer
	key    *evidence.KeyFile
	ledger *ledger.Ledger
	mu     sync.Mutex
	now    time.Time
	people []identity.Person // of the map in force
	trusts func(key string) (bool, error)
}

func (d *door) clock() time.Time { d.mu.Lock(); defer d.mu.Unlock(); return d.now }

func (d *door) later(by time.Duration) { d.mu.Lock(); defer d.mu.Unlock(); d.now = d.now.Add(by) }

const signInFile = `schema: verdict.sign-in/v1
workloads:
  - name: shop-prod
    kind: github
    issuer: ISSUER
    match: {repository_id: 74, environment: prod}
    workload: repo:acme/shop:environment:prod
    grants: [{role: developer, services: [shop], environments: [prod]}]
  - name: runners
    kind: kubernetes
    issuer: ISSUER
    match: {namespace: ci, service_account: runner}
    workload: k8s:ci:runner
    grants: [{role: viewer, services: ["*"]}]
  - name: till
    kind: gitlab
    issuer: ISSUER
    match: {project_id: 22}
    workload: gitlab:acme/till
    grants: [{role: developer, services: [till]}]
people:
  - name: acme
    issuer: ISSUER
    client_id: client
    client_secret: env:SECRET
    system: entra
    claim: oid
    groups: [{id: g-security, grants: [{role: security, services: ["*"], environments: ["*"]}]}]
`

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC), trusts: func(string) (bool, error) { return false, nil }}
	d.people = []identity.Person{{ID: "jane", Accounts: []identity.Account{{System: identity.Entra, Name: "oid-jane"}}}}
	d.issuer = newIssuer(d)
	dirOf := t.TempDir()
	db := d.store(dirOf)
	blobs, err := dir.Open(filepath.Join(dirOf, "blobs"), dir.Options{Now: d.clock})
	d.must(err)
	logKey, err := evidence.CreateLogKey(filepath.Join(dirOf, "log.key"))
	d.must(err)
	d.key, err = evidence.CreateKey(filepath.Join(dirOf, "local.key"))
	d.must(err)
	d.ledger, err = ledger.Open(t.Context(), ledger.Options{Store: db, Blobs: blobs, LogKey: logKey, Signer: d.key, AnchorDir: filepath.Join(dirOf, "anchor"), Now: d.clock, Rand: rand.Reader})
	d.must(err)
	t.Cleanup(func() { _ = d.ledger.Close() })
	d.enroll("local", d.key)
	public, err := url.Parse(publicURL)
	d.must(err)
	config, err := token.ReadConfig("sign-in.yaml", []byte(strings.ReplaceAll(signInFile, "ISSUER", d.issuer.URL)))
	d.must(err)
	d.signIn, err = NewSignIn(SignInOptions{
		Config: config, Secret: func(string) (string, error) { return "hunter2", nil }, PublicURL: public, Ledger: d.ledger, Store: db, Signer: d.key, Now: d.clock, Rand: rand.Reader,
		People:  func(context.Context) (*identity.Directory, error) { return identity.NewDirectory(d.people) },
		Trusted: func(_ context.Context, key string) (bool, error) { return d.trusts(key) },
	})
	d.must(err)
	d.server, err = New(Options{Ledger: d.ledger, Store: db, Auth: d.signIn, Now: d.clock, Rand: rand.Reader, Version: "test", PublicURL: public, Whose: whose})
	d.must(err)
	d.signIn.Routes(d.server)
	d.server.EvidenceRoute(EvidenceOptions{Verb: identity.VerbOf, Bound: d.signIn.Bound, Signer: d.key})
	d.http = httptest.NewServer(d.server.Handler())
	t.Cleanup(d.http.Close)
	return d
}

// whose is whose the services of the tests are.
func whose(context.Context) (within.Teams, error) {
	return func(service string) string { return map[string]string{"shop": "web", "bank": "money"}[service] }, nil
}

func (d *door) store(dirOf string) *store.Store {
	engine, err := sqlite.Open(d.t.Context(), filepath.Join(dirOf, "ledger.db"), sqlite.Options{})
	d.must(err)
	db, err := store.New(d.t.Context(), engine)
	d.must(err)
	return db
}

func (d *door) must(err error) {
	d.t.Helper()
	if err != nil {
		d.t.Fatal(err)
	}
}

// enroll enrols a key, signed by the first one.
func (d *door) enroll(name string, k *evidence.KeyFile) {
	event, err := identity.NewEnrolment(name, k.PublicPEM())
	d.must(err)
	d.record(verdict.KindKey, event, d.key)
}

func (d *door) record(k verdict.Kind, predicate any, by *evidence.KeyFile) {
	_, err := d.ledger.Append(d.t.Context(), d.signed(k, predicate, by, verdict.Context{}))
	d.must(err)
}

func (d *door) signed(k verdict.Kind, predicate any, by evidence.Signer, c verdict.Context) *evidence.Bundle {
	about := verdict.Subject{Kind: verdict.SubjectIdentity, Name: "x", Digest: verdict.NewDigest("sha256", strings.Repeat("0", 64))}
	c.At = d.clock()
	s, err := evidence.New(k, []verdict.Subject{about}, predicate, c, rand.Reader)
	d.must(err)
	b, err := evidence.Sign(d.t.Context(), s, by)
	d.must(err)
	return b
}

// reply is an answer of the server.
type reply struct {
	status  int
	body    string
	header  http.Header
	cookies map[string]*http.Cookie
}

// ask sends a request, with headers as name and value in turn, and follows no redirect.
func (d *door) ask(method, path, body string, header ...string) reply {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.http.URL+path, strings.NewReader(body))
	d.must(err)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for i := 0; i < len(header); i += 2 {
		if header[i] == "Content-Type" {
			r.Header.Del("Content-Type")
		}
		r.Header.Add(header[i], header[i+1])
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
	d.must(err)
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	d.must(err)
	out := reply{res.StatusCode, string(b), res.Header, map[string]*http.Cookie{}}
	for _, c := range res.Cookies() {
		out.cookies[c.Name] = c
	}
	return out
}

func (d *door) as(secret string) []string { return []string{"Authorization", "Bearer " + secret} }

// exchange signs in, or fails the test.
func (d *door) exchange(x token.Exchange) Session {
	d.t.Helper()
	b, err := json.Marshal(x)
	d.must(err)
	r := d.ask("POST", Prefix+"/token", string(b))
	var s Session
	if r.status != http.StatusOK || json.Unmarshal([]byte(r.body), &s) != nil {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
	return s
}

func (d *door) refused(x token.Exchange, says string) {
	d.t.Helper()
	b, err := json.Marshal(x)
	d.must(err)
	if r := d.ask("POST", Prefix+"/token", string(b)); r.status < 400 || !strings.Contains(r.body, says) || !strings.Contains(r.body, `"remedy"`) {
		d.t.Errorf("want %q: %d %s", says, r.status, r.body)
	}
}

func github(changes map[string]any) map[string]any {
	c := map[string]any{"sub": "repo:acme/shop:environment:prod", "repository_id": "74", "environment": "prod", "actor": "jane"}
	maps.Copy(c, changes)
	return c
}

// admin is somebody who may give roles.
func (d *door) admin() string { return d.with(identity.Admin, identity.Anywhere()) }

// with is the session of somebody who has a role.
func (d *door) with(r identity.Role, in identity.Scope) string {
	d.t.Helper()
	code, err := d.signIn.Link(d.t.Context(), []identity.Grant{{Role: r, Scope: in}})
	d.must(err)
	return d.exchange(token.Exchange{Code: code}).Token
}
