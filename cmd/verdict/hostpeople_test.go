package main

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/rogpeppe/go-internal/txtar"

	"verdict"
	"verdict/identity"
	"verdict/server"
)

// idp is an issuer on this machine where people sign in by the code flow. It takes everybody
// for the one who was named last.
type idp struct {
	*httptest.Server
	key *rsa.PrivateKey

	mu     sync.Mutex // guards what follows
	nonces map[string]string
	says   map[string]any
}

func newIDP(t *testing.T) *idp {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	p := &idp{key: key, nonces: map[string]string{}}
	p.Server = httptest.NewServer(http.HandlerFunc(p.serve))
	t.Cleanup(p.Close)
	return p
}

func (p *idp) serve(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		_ = json.NewEncoder(w).Encode(map[string]string{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL + "/authorize", "token_endpoint": p.URL + "/token"})
	case "/keys":
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: &p.key.PublicKey, KeyID: "k1"}}})
	case "/authorize":
		q, code := r.URL.Query(), rand.Text()
		p.nonces[code] = q.Get("nonce")
		http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}}.Encode(), http.StatusFound)
	case "/token":
		_ = r.ParseForm()
		now := time.Now().Unix()
		claims := map[string]any{"iss": p.URL, "aud": "client", "nonce": p.nonces[r.Form.Get("code")], "jti": rand.Text(), "iat": now, "exp": now + 300}
		for name, v := range p.says {
			claims[name] = v
		}
		b, _ := json.Marshal(claims)
		s, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: jose.JSONWebKey{Key: p.key, KeyID: "k1"}}, nil)
		if err != nil {
			panic(err)
		}
		x, err := s.Sign(b)
		if err != nil {
			panic(err)
		}
		token, _ := x.CompactSerialize()
		_ = json.NewEncoder(w).Encode(map[string]string{"id_token": token})
	default:
		http.NotFound(w, r)
	}
}

// attended is a control plane where people sign in, over a folder in which a gate waits for them.
type attended struct {
	*typist
	idp      *idp
	url      string
	host     *host
	decision string            // that waits for a person
	key      string            // the id of the server's
	sessions map[string]string // of whoever signed in
}

const planeSignIn = `schema: verdict.sign-in/v1
people:
  - name: acme
    issuer: ISSUER
    client_id: client
    system: entra
    claim: oid
    groups:
      - {id: viewers, grants: [{role: viewer, services: ["*"], environments: ["*"]}]}
      - {id: developers, grants: [{role: developer, services: ["*"], environments: ["*"]}]}
      - {id: approvers, grants: [{role: approver, services: ["*"], environments: ["*"]}]}
      - {id: securities, grants: [{role: security, services: ["*"], environments: ["*"]}]}
      - {id: admins, grants: [{role: admin, services: ["*"], environments: ["*"]}]}
      - {id: stagers, grants: [{role: approver, services: ["*"], environments: [staging]}]}
      - {id: others, grants: [{role: approver, services: [other], environments: ["*"]}]}
`

const planeMap = `organization: acme
services: {payments-api: {team: payments, owner: lead@acme.example, repo: "https://github.com/acme/shop", environments: [dev, staging, production]}}
exceptions: {requires: [rule, scope, rationale, owner, expiry], max_validity: 30d, approvers: [payments]}
break_glass: {who: [payments], requires: [incident, rationale], max_validity: 4h, review_within: 24h, notify: [payments]}
`

const planePeople = `people:
  ben: {teams: [payments], accounts: {git: ben@acme.example, entra: oid-ben}}
  mei: {teams: [payments], accounts: {entra: oid-mei}}
  noor: {teams: [payments], accounts: {entra: oid-noor}}
  dana: {accounts: {entra: oid-dana}}
`

// newAttended makes it. The map lets the server speak for people where speaks says so.
func newAttended(t *testing.T, speaks string) *attended {
	t.Helper()
	p := unattended(t, speaks)
	p.serve(t)
	return p
}

// unattended is it before anything is served.
func unattended(t *testing.T, speaks string) *attended {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	defer t.Chdir(here) // who types is elsewhere
	a, err := txtar.ParseFile("testdata/script/gate.txtar")
	if err != nil {
		t.Fatal(err)
	}
	var without []string
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "repo/verdict.yaml" })
	whole := string(a.Files[i].Data)
	for _, line := range strings.Split(strings.TrimSpace(whole), "\n") {
		if line != "schema: verdict/v1" && line != "service: payments-api" {
			without = append(without, line)
		}
	}
	p := &attended{typist: typistWith(t, "gate", without...), sessions: map[string]string{}}
	p.does(0, "keys public -o json")
	p.key = regexp.MustCompile(`[A-Za-z0-9+/]{43}=`).FindString(p.last)
	for _, line := range []string{
		"service: payments-api", "team: payments", "owner: lead@acme.example", "repo: https://github.com/acme/shop", "    soak: 1h", "    hours: {allow: Mon-Fri 08:00-20:00}",
		"    freezes: [{from: 2026-12-24, to: 2026-12-26, reason: holidays}]", "people:", "  ben: {teams: [payments], accounts: {git: ben@acme.example}}", "  mei: {teams: [payments]}",
	} {
		whole = strings.Replace(whole, line+"\n", "", 1)
	}
	whole = strings.Replace(whole, "schema: verdict/v1\n", "schema: verdict/v1\n"+planeMap+planePeople, 1)
	whole = strings.Replace(whole, "trust:\n", "trust:\n"+strings.ReplaceAll(speaks, "KEY", p.key), 1)
	if err := os.WriteFile(filepath.Join(p.dir, "org.yaml"), []byte(whole), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, words := range []string{
		"map release ../org.yaml", "ci", "attest provenance ../provenance.json --subject ../app.tar", "attest sbom ../bom.json --subject ../app.tar", "artifact trust ../app.tar",
		"gate --env dev ../app.tar", "gate --env staging ../app.tar",
	} {
		p.does(0, words)
	}
	p.does(5, "gate --env production ../app.tar")
	p.decision = regexp.MustCompile(`d-[0-9a-z]{10,}`).FindString(p.last)
	return p
}

// does runs a command, and ends the test where that ends otherwise.
func (p *attended) does(code int, words string) string {
	p.t.Helper()
	got, out, talk := p.types(words)
	if got != code {
		p.t.Fatalf("verdict %s: %d\n%s%s", words, got, out, talk)
	}
	return p.last + talk
}

func (p *attended) serve(t *testing.T) {
	t.Helper()
	p.idp = newIDP(t)
	file := filepath.Join(p.dir, "sign-in.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(planeSignIn, "ISSUER", p.idp.URL)), 0o644); err != nil {
		t.Fatal(err)
	}
	a := &app{
		env: newEnvironment(p.vars), stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard, now: time.Now, rand: rand.Reader,
		log: slog.New(slog.DiscardHandler), progress: &progress{}, config: config{Data: filepath.Join(p.dir, "home", ".local", "share", "verdict")},
	}
	w, err := a.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.host = newHost(w)
	h := httptest.NewUnstartedServer(nil)
	public := &url.URL{Scheme: "http", Host: h.Listener.Addr().String()}
	in, err := p.host.signIn(file, public)
	if err != nil {
		t.Fatal(err)
	}
	s, err := p.host.server(t.Context(), public, in)
	if err != nil {
		t.Fatal(err)
	}
	in.Routes(s)
	h.Config.Handler = s.Handler()
	h.Start()
	p.url = public.String()
	t.Cleanup(func() {
		h.Close()
		if err := w.close(); err != nil {
			t.Error(err)
		}
	})
}

// browser signs somebody in who is in some groups, and gives the client and its session.
func (p *attended) browser(person string, groups ...string) (*http.Client, string) {
	p.t.Helper()
	p.idp.mu.Lock()
	p.idp.says = map[string]any{"sub": "sub-" + person, "oid": "oid-" + person, "groups": groups}
	p.idp.mu.Unlock()
	jar, err := cookiejar.New(nil)
	if err != nil {
		p.t.Fatal(err)
	}
	c := &http.Client{Jar: jar}
	res, err := c.Get(p.url + "/login?return=" + server.Prefix + "/me")
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, _ := io.ReadAll(res.Body)
	at, _ := url.Parse(p.url)
	for _, x := range jar.Cookies(at) {
		if strings.HasPrefix(x.Value, "vds_") {
			return c, x.Value
		}
	}
	p.t.Fatalf("%s is not signed in: %s %s", person, res.Status, body)
	return nil, ""
}

// signIn is browser for who asks by the session alone, once for each of them.
func (p *attended) signIn(person string, groups ...string) string {
	p.t.Helper()
	who := person + " " + strings.Join(groups, " ")
	if p.sessions[who] == "" {
		_, p.sessions[who] = p.browser(person, groups...)
	}
	return p.sessions[who]
}

// asks sends a request under a session or token.
func (p *attended) asks(secret, method, path, body string) (int, string) {
	p.t.Helper()
	r, err := http.NewRequestWithContext(p.t.Context(), method, p.url+server.Prefix+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+secret)
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		p.t.Fatal(err)
	}
	return res.StatusCode, string(b)
}

// entries is how long the log is: what was refused did not make it longer.
func (p *attended) entries() int64 {
	p.t.Helper()
	at, err := p.host.base.own.Position(p.t.Context())
	if err != nil {
		p.t.Fatal(err)
	}
	return int64(at)
}

func (p *attended) refused(secret, path, body string, status int, says string) {
	p.t.Helper()
	before := p.entries()
	got, text := p.asks(secret, "POST", path, body)
	var told server.Problem
	if err := json.Unmarshal([]byte(text), &told); err != nil || got != status || told.Remedy == "" || !strings.Contains(told.What+told.Remedy, says) {
		p.t.Errorf("POST %s: %d %s\nwant %d, %q", path, got, text, status, says)
	}
	if after := p.entries(); after != before {
		p.t.Errorf("POST %s: %d entries were recorded of what was refused", path, after-before)
	}
}

func (p *attended) takes(secret, path, body string, into any) {
	p.t.Helper()
	status, text := p.asks(secret, "POST", path, body)
	if status != 200 {
		p.t.Fatalf("POST %s: %d %s", path, status, text)
	}
	if err := json.Unmarshal([]byte(text), into); err != nil {
		p.t.Fatalf("%v in %s", err, text)
	}
}

const speaking = `  - {name: control plane, key: "KEY", for: people, kinds: [approval, exception, break-glass], services: ["*"], environments: ["*"]}` + "\n"

func (p *attended) approval() string {
	return fmt.Sprintf(`{"decision":%q,"step":"approve","scope":"this release","rationale":"looked at it","expires":"12h"}`, p.decision)
}

// asking is the gate of production, asked by a developer.
func (p *attended) asking() verdict.Decision {
	p.t.Helper()
	var a struct {
		Decision verdict.Decision `json:"decision"`
	}
	body := fmt.Sprintf(`{"point":"deploy.gate","subject":{"kind":"artifact","name":"app.tar","digest":%q},"service":"payments-api","environment":"production","trigger":"verdict gate","run":"","dry":false}`, appDigest)
	p.takes(p.signIn("dana", "developers"), "/decisions", body, &a)
	return a.Decision
}

const appDigest = "sha256:51d08facd5da6a6efdc3adb3a0344dd6decf35f781981f8a791da706c934c0a4"

// A person who has no key signs in and approves; the gate then lets in, the record says whose
// word it is, and the answer can be taken again. Who may not approve with a key may not here.
func TestAPersonWithoutAKeyApproves(t *testing.T) {
	p := newAttended(t, speaking)
	noor := p.signIn("noor", "approvers")
	p.refused(p.signIn("ben", "approvers"), "/approvals", p.approval(), 403, "ben is author of commit")
	p.refused(p.signIn("dana", "approvers"), "/approvals", p.approval(), 403, "dana is none of payments")
	p.refused(p.signIn("eve", "approvers"), "/approvals", p.approval(), 403, "nobody under people: of the map has")
	p.refused(noor, "/approvals", strings.Replace(p.approval(), `"12h"`, `"48h"`, 1), 403, "the map allows 1d")
	p.refused(noor, "/approvals", strings.Replace(p.approval(), `"this release"`, `""`, 1), 400, "it does not say scope")
	p.refused(noor, "/approvals", strings.Replace(p.approval(), p.decision, "d-0000000000", 1), 404, "no decision")

	var dry, given answered
	before := p.entries()
	p.takes(noor, "/approvals", strings.Replace(p.approval(), "{", `{"dry_run":true,`, 1), &dry)
	if dry.Entry != -1 || p.entries() != before {
		t.Errorf("a dry run was recorded: %+v", dry)
	}
	p.takes(noor, "/approvals", p.approval(), &given)
	if given.Entry != before || given.Answer.By != "noor" || !given.Answer.SignedIn || given.Answer.Decision != p.decision {
		t.Errorf("it is recorded as %+v", given)
	}
	p.refused(p.signIn("mei", "approvers"), "/approvals/"+given.Answer.ID+"/withdraw", `{}`, 403, "noor's")
	var back answered
	p.takes(noor, "/approvals/"+given.Answer.ID+"/withdraw", `{"rationale":"there is a fix"}`, &back)
	if back.Answer.Step != verdict.StepWithdraw || !back.Answer.SignedIn {
		t.Errorf("it is taken back as %+v", back)
	}
	if d := p.asking(); d.Outcome != verdict.Review {
		t.Errorf("what was taken back lets in: %s", d.Outcome)
	}
	p.takes(noor, "/approvals", p.approval(), &given)

	d := p.asking()
	if d.Outcome != verdict.Allow || d.Lifted == nil || len(d.Lifted.Approvals) != 1 || !d.Lifted.Approvals[0].SignedIn {
		t.Fatalf("the gate answers %s: %+v", d.Outcome, d.Aside)
	}
	status, why := p.asks(noor, "GET", "/why?ref="+d.ID, "")
	if status != 200 || !strings.Contains(why, "noor (signed in; the server signed) approved decision "+p.decision) {
		t.Errorf("why does not say whose word it is: %d %s", status, why)
	}
	_, entry := p.asks(noor, "GET", fmt.Sprintf("/entries/%d", given.Entry), "")
	if _, me := p.asks(noor, "GET", "/me", ""); !strings.Contains(entry, `"actor":"`+actorIn(t, me)+`"`) {
		t.Errorf("the evidence does not name who asked: %s", entry)
	}

	p.sets("VERDICT_SERVER="+p.url, "VERDICT_TOKEN=env:SECRET", "SECRET="+p.signIn("viv", "viewers"))
	if out := p.does(0, "roles list --mine"); !strings.Contains(out, "You are entra:oid-viv, an account that nobody under people: of the map has.") {
		t.Errorf("who is nobody of the map is not told so: %s", out)
	}
	if out := p.does(0, "people list"); strings.Contains(out, "nothing can be signed for them") || strings.Count(out, "no key is enrolled: who signs in as them") != 4 {
		t.Errorf("who approves without a key is told that he cannot: %s", out)
	}
	if out := p.does(0, "policy replay "+d.ID); !strings.Contains(out, "same") {
		t.Errorf("the decision is not taken again: %s", out)
	}
}

// Whoever records a withdrawal in another one's name does not keep her from taking her answer back.
func TestAWithdrawalThatIsNotHersKeepsNobodyFromHer(t *testing.T) {
	p := newAttended(t, speaking)
	noor := p.signIn("noor", "approvers")
	var given, back answered
	p.takes(noor, "/approvals", p.approval(), &given)
	forged := given.Answer
	forged.Step, forged.SignedIn, forged.Created = verdict.StepWithdraw, false, time.Now()
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "app.tar", Digest: forged.Subject}
	w := p.host.base
	if _, err := w.state(t.Context(), verdict.KindApproval, about, forged, verdict.Context{Service: forged.Service, Environment: forged.Environment, Point: forged.Point}); err != nil {
		t.Fatal(err)
	}
	p.takes(noor, "/approvals/"+given.Answer.ID+"/withdraw", `{}`, &back)
	if d := p.asking(); d.Outcome != verdict.Review {
		t.Errorf("hers did not take it back: %s", d.Outcome)
	}
	p.refused(noor, "/approvals/"+given.Answer.ID+"/withdraw", `{}`, 409, "withdrawn already")
}

// sets gives variables to what is typed from here on.
func (p *attended) sets(vars ...string) {
	for _, v := range vars {
		name, _, _ := strings.Cut(v, "=")
		p.vars = append(slices.DeleteFunc(slices.Clone(p.vars), func(old string) bool { return strings.HasPrefix(old, name+"=") }), v)
	}
}

func actorIn(t *testing.T, me string) string {
	t.Helper()
	var c identity.Caller
	if err := json.Unmarshal([]byte(me), &c); err != nil || c.Actor == "" {
		t.Fatalf("%v %s", err, me)
	}
	return c.Actor
}

// The same request again is the same approval, for who lost the answer to the first.
func TestAnApprovalThatIsSentAgainIsOne(t *testing.T) {
	p := newAttended(t, speaking)
	noor, before := p.signIn("noor", "approvers"), p.entries()
	for range 2 {
		r, err := http.NewRequestWithContext(t.Context(), "POST", p.url+server.Prefix+"/approvals", strings.NewReader(p.approval()))
		if err != nil {
			t.Fatal(err)
		}
		r.Header = http.Header{"Authorization": {"Bearer " + noor}, "Content-Type": {"application/json"}, server.IdempotencyKey: {"one"}}
		res, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = res.Body.Close()
		if res.StatusCode != 200 {
			t.Errorf("%s", res.Status)
		}
	}
	if n := p.entries() - before; n != 1 {
		t.Errorf("%d approvals were recorded", n)
	}
}

// The server signs for whoever sits there, and for nothing else that holds his roles: a token in
// a file, a machine, a key, or the link for who started the server would approve by themselves.
func TestNothingButAPersonWhoSignedInStates(t *testing.T) {
	p := newAttended(t, speaking)
	noor := p.signIn("noor", "approvers")
	var made struct {
		Token string `json:"token"`
	}
	var given any
	p.takes(p.signIn("dana", "admins"), "/roles", `{"subject":"person:noor","role":"approver","scope":{"services":["*"],"teams":[],"environments":["*"]},"reason":"on call"}`, &given)
	p.takes(noor, "/tokens", `{"label":"cron","days":1,"grants":[{"role":"approver","scope":{"services":["*"],"teams":[],"environments":["*"]}}]}`, &made)
	p.refused(made.Token, "/approvals", p.approval(), 403, "an API token, a machine")
	for name, c := range map[string]identity.Caller{
		"a pipeline that somebody started": {Actor: "a", Person: "noor", Account: "github:noor", Workload: "repo:acme/shop", Issuer: "https://issuer.example"},
		"who signed in with a key":         {Actor: "a", Person: "noor", Key: p.key},
		"who started the server":           {Actor: "a"},
	} {
		c.Grants = []identity.Grant{{Role: identity.Approver, Scope: identity.Anywhere()}}
		before := p.entries()
		_, err := p.host.documented(t.Context(), c, "", func(ctx context.Context, a *app) error {
			return (&answering{step: verdict.StepApprove, decision: p.decision, scope: "s", rationale: "r", lifetime: "1h"}).run(ctx, a, nil)
		})
		if e := verdict.AsError(err); err == nil || e.Code != verdict.CodeForbidden || !strings.Contains(e.What, "none who signed in") || p.entries() != before {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A statement that says that a server signed it for somebody is not taken from who brings it,
// under whichever key.
func TestNobodyBringsWhatTheServerStatesForPeople(t *testing.T) {
	p := newAttended(t, speaking)
	noor := p.signIn("noor", "approvers")
	var given answered
	p.takes(noor, "/approvals", p.approval(), &given)
	a := given.Answer
	a.ID, a.By = "a-forged", "mei"
	glass := verdict.BreakGlass{ID: "b-forged", Step: verdict.StepReview, Service: "payments-api", Environment: "production", ReviewedBy: "mei", ReviewSignedIn: true}
	for _, said := range []struct {
		kind verdict.Kind
		what any
	}{{verdict.KindApproval, a}, {verdict.KindBreakGlass, glass}} {
		b, err := p.host.base.sign(t.Context(), said.kind, verdict.DeploymentSubject("payments-api", "production"), said.what, verdict.Context{Service: "payments-api", Environment: "production", Point: "deploy.gate"})
		if err != nil {
			t.Fatal(err)
		}
		p.refused(noor, "/evidence", `{"evidence":[{"bundle":`+string(b.JSON())+`}]}`, 403, "is the server's to make")
	}
}

// Where the map does not let the server speak for people, nothing is recorded that would count
// for nothing, and whoever reads the refusal can put the line into the map.
func TestAServerThatMayNotSpeakSaysWhatLetsIt(t *testing.T) {
	for name, speaks := range map[string]string{
		"no entry": "", "another kind": strings.Replace(speaking, "approval, ", "", 1), "another environment": strings.Replace(speaking, `environments: ["*"]`, "environments: [staging]", 1),
	} {
		t.Run(name, func(t *testing.T) {
			p := newAttended(t, speaks)
			line := `- {name: control plane, key: "` + p.key + `", for: people, kinds: [approval, exception, break-glass], services: ["*"], environments: ["*"]}`
			p.refused(p.signIn("noor", "approvers"), "/approvals", p.approval(), 403, line)
			p.refused(p.signIn("noor", "approvers"), "/approvals", p.approval(), 403, "--as KEY")
		})
	}
}

// Each role states what it may, and where it may; what lies outside of its scope is not there.
func TestWhoMayStateWhatAsAPerson(t *testing.T) {
	p := newAttended(t, speaking)
	approval := p.approval()
	reject := fmt.Sprintf(`{"decision":%q,"step":"reject","rationale":"no"}`, p.decision)
	ask := `{"rule":"deploy.gate.trusted","service":"payments-api","environments":["production"],"versions":"*","rationale":"r","owner":"payments","expires":"5d"}`
	glass := fmt.Sprintf(`{"subject":{"kind":"artifact","name":"app.tar","digest":%q},"service":"payments-api","environment":"production","incident":"INC-1","rationale":"down","expires":"1h"}`, appDigest)
	routes := map[string]struct {
		body string
		may  []string // the groups whose role allows it: they are refused for other reasons, if at all
	}{
		"/approvals":                 {approval, []string{"approvers", "securities"}},
		"/approvals/a-none/withdraw": {`{}`, []string{"approvers", "securities"}},
		"/exceptions":                {ask, []string{"developers"}},
		"/exceptions/x-none/approve": {`{}`, []string{"securities"}},
		"/exceptions/x-none/revoke":  {`{"rationale":"r"}`, []string{"securities"}},
		"/break-glass":               {glass, []string{"approvers", "securities"}},
		"/break-glass/b-none/review": {`{"rationale":"r"}`, []string{"approvers", "securities"}},
	}
	for path, r := range routes {
		for _, group := range []string{"viewers", "developers", "approvers", "securities"} {
			if slices.Contains(r.may, group) {
				continue
			}
			p.refused(p.signIn("mei", group), path, r.body, 403, "role")
		}
	}
	p.refused(p.signIn("mei", "securities"), "/exceptions/x-none/approve", `{}`, 404, "there is no exception")
	p.refused(p.signIn("mei", "approvers"), "/break-glass/b-none/review", `{"rationale":"r"}`, 404, "there is no break-glass")
	for _, group := range []string{"stagers", "others"} {
		p.refused(p.signIn("mei", group), "/approvals", approval, 404, "no decision has an id")
		p.refused(p.signIn("mei", group), "/approvals", reject, 404, "no decision has an id")
		p.refused(p.signIn("mei", group), "/break-glass", glass, 403, "your roles")
	}
}

// An exception is asked for by one person and accepted by another, neither of whom has a key.
func TestAnExceptionWithoutKeys(t *testing.T) {
	p := newAttended(t, speaking)
	dana, mei, noor := p.signIn("dana", "developers"), p.signIn("mei", "securities"), p.signIn("noor", "securities")
	waits := p.asking()
	rule := waits.Reasons[slices.IndexFunc(waits.Reasons, func(r verdict.Reason) bool { return r.Effect == verdict.EffectReview })].Rule
	ask := fmt.Sprintf(`{"rule":%q,"service":"payments-api","environments":["production"],"digests":[%q],"rationale":"no fix","owner":"payments","expires":"5d"}`, rule, appDigest)
	p.refused(dana, "/exceptions", strings.Replace(ask, rule, rule+"x", 1), 422, "no rule of a deploy point")
	p.refused(dana, "/exceptions", strings.Replace(ask, appDigest, "/etc/passwd", 1), 400, "no digest")
	var asked, accepted, ended exceptionStepped
	p.takes(dana, "/exceptions", ask, &asked)
	p.refused(p.signIn("dana", "securities"), "/exceptions/"+asked.Exception.ID+"/approve", `{}`, 403, "nobody accepts their own risk")
	if d := p.asking(); d.Outcome != verdict.Review {
		t.Errorf("what was only asked for lets in: %s", d.Outcome)
	}
	p.takes(mei, "/exceptions/"+asked.Exception.ID+"/approve", `{"note":"agreed"}`, &accepted)
	if d := p.asking(); d.Outcome != verdict.Allow || d.Lifted == nil || len(d.Lifted.Exceptions) != 1 {
		t.Errorf("the gate answers %s: %+v", d.Outcome, d.Aside)
	}
	p.takes(noor, "/exceptions/"+asked.Exception.ID+"/revoke", `{"rationale":"the fix is out"}`, &ended)
	status, text := p.asks(noor, "GET", "/exceptions/"+asked.Exception.ID, "")
	var shown shownException
	if err := json.Unmarshal([]byte(text), &shown); err != nil || status != 200 || shown.State != "revoked" || len(shown.Steps) != 3 {
		t.Fatalf("%d %v %s", status, err, text)
	}
	for i, by := range []string{"dana", "mei", "noor"} {
		if s := shown.Steps[i]; s.By != by || !s.SignedIn || s.Why != "" {
			t.Errorf("step %d is %+v", i, s)
		}
	}
}

// An emergency takes its whole way without a key.
func TestAnEmergencyWithoutKeys(t *testing.T) {
	p := newAttended(t, speaking)
	noor, mei := p.signIn("noor", "approvers"), p.signIn("mei", "securities")
	glass := fmt.Sprintf(`{"subject":{"kind":"artifact","name":"app.tar","digest":%q},"service":"payments-api","environment":"production","incident":"INC-1","rationale":"down","expires":"1h"}`, appDigest)
	p.refused(noor, "/break-glass", strings.Replace(glass, "artifact", "change", 1), 400, "no kind of what is let in")
	p.refused(noor, "/break-glass", strings.Replace(glass, `"1h"`, `"9h"`, 1), 403, "the map allows 4h")
	var open, reviewed glassBroken
	p.takes(noor, "/break-glass", glass, &open)
	if d := p.asking(); d.Outcome != verdict.Allow || d.BreakGlass != open.BreakGlass.ID || !d.Lifted.BreakGlass.SignedIn {
		t.Errorf("the gate answers %s by %q: %+v", d.Outcome, d.BreakGlass, d.Aside)
	}
	review := "/break-glass/" + open.BreakGlass.ID + "/review"
	p.refused(noor, review, `{"rationale":"fine"}`, 403, "nobody reviews their own")
	p.takes(mei, review, `{"rationale":"needed"}`, &reviewed)
	if b := reviewed.BreakGlass; b.ReviewedBy != "mei" || !b.ReviewSignedIn || !b.SignedIn {
		t.Errorf("the review is %+v", b)
	}
	if status, list := p.asks(noor, "GET", "/break-glass", ""); status != 200 || !strings.Contains(list, `"state":"reviewed"`) && !strings.Contains(list, `"state": "reviewed"`) {
		t.Errorf("%d %s", status, list)
	}
}
