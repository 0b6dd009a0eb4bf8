package server

import (
	"crypto/rand"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"verdict/identity"
	"verdict/identity/token"
	"verdict/store/sqlite"
)

// Whoever sends texts that nobody gave out must cost no look at the database: a flood of them
// would take it from everybody who works.
func TestWhatNobodyGaveOutIsNotLookedFor(t *testing.T) {
	d := newDoor(t)
	secret, _, err := newSecret(rand.Reader, tokenPrefix)
	d.must(err)
	if len(secret) != secretLength || !isSecret(secret, tokenPrefix) {
		t.Fatalf("%q is not taken for a secret", secret)
	}
	d.server.o.Limits.Request = 200 * time.Millisecond
	d.must(d.ledger.Close()) // whoever looks now is told that the database is away, also where it is silent
	if r := d.ask("GET", Prefix+"/roles", "", d.as(secret)...); r.status < 500 {
		t.Fatalf("the database answers, so nothing is shown: %d %s", r.status, r.body)
	}
	for name, made := range map[string]string{
		"of random characters": tokenPrefix + strings.Repeat("A", secretLength-len(tokenPrefix)), "with one changed": secret[:20] + flipped(secret[20]) + secret[21:],
		"of another kind": sessionPrefix + secret[len(tokenPrefix):], "cut off": secret[:len(secret)-1], "and more": secret + "A", "a code": codePrefix + secret[len(tokenPrefix):], "none": "",
		"with other characters": secret[:10] + "+/" + secret[12:],
	} {
		if r := d.ask("GET", Prefix+"/roles", "", d.as(made)...); r.status != 401 {
			t.Errorf("a token %s: %d %s", name, r.status, r.body)
		}
		if r := d.ask("GET", Prefix+"/roles", "", "Cookie", "__Host-verdict="+made); r.status != 401 {
			t.Errorf("a cookie %s: %d %s", name, r.status, r.body)
		}
		for _, prefix := range []string{codePrefix, linkPrefix} {
			if made = prefix + strings.TrimPrefix(made, tokenPrefix); isSecret(made, prefix) {
				t.Fatal(made)
			}
			d.refused(token.Exchange{Code: made}, "works once")
		}
	}
}

func flipped(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}

// counting counts how often somebody is looked for.
type counting struct {
	known
	looks *atomic.Int64
}

func (c counting) Authenticate(r *http.Request) (identity.Caller, error) {
	c.looks.Add(1)
	return c.known.Authenticate(r)
}

// A flood of tokens that look right is held to the rate of its address before any of them is
// looked for; who signs in from there meanwhile with a token that holds is answered.
func TestAFloodOfTokensIsNotLookedFor(t *testing.T) {
	var done, looks atomic.Int64
	now := time.Now()
	s := madeOn(t, Limits{Anonymous: 5}, sqlite.Options{}, func() time.Time { return now })
	s.o.Auth = counting{people, &looks}
	echo(&done)(s)
	x := &live{Server: s, t: t}
	h := httptestOf(t, x)
	last := 0
	for i := range 100 {
		last, _, _ = ask(t, h, "GET", "/api/v1/open", "", fmt.Sprintf("Authorization: Bearer made-up-%d", i))
	}
	if last != 429 || looks.Load() > 10 {
		t.Errorf("the hundredth was answered %d, and %d were looked for", last, looks.Load())
	}
	if status, body, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev); status != 200 {
		t.Errorf("who is known: %d %s", status, body)
	}
}

// New sessions that hold are no strangers': a building full of pipelines behind one address
// signs in with one after the other.
func TestWhoProvesHimselfIsNotCountedAsAStranger(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	for i := range 300 {
		d.signIn.forget()
		if r := d.ask("GET", Prefix+"/roles", "", d.as(admin)...); r.status != 200 {
			t.Fatalf("request %d with a new session: %d %s", i, r.status, r.body)
		}
	}
}

// A code that a browser gave to somebody must sign no other browser in: he would send a link with
// it to a colleague, who would then work as him.
func TestACodeForTheCommandLineSignsNoBrowserIn(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	r, _ := d.browser("/cli")
	page := d.ask("POST", "/cli", "", "Cookie", "__Host-verdict="+r.cookies["__Host-verdict"].Value, "Origin", publicURL)
	_, code, _ := strings.Cut(page.body, "<code>"+codePrefix)
	code, _, _ = strings.Cut(codePrefix+code, "<")
	if page.status != http.StatusOK {
		t.Fatalf("%d %s", page.status, page.body)
	}
	if r := d.ask("GET", "/login?code="+code, ""); r.status != 403 || len(r.cookies) != 0 {
		t.Errorf("it signs a browser in: %d %v", r.status, r.cookies)
	}
	if s := d.exchange(token.Exchange{Code: code}); s.Caller.Actor == "" {
		t.Errorf("and the command line not any more: %+v", s)
	}
}

// Each start of a server on one's own machine goes on with the session that the last one left, as
// long as half of its time is left: a command that runs meanwhile keeps its own, and no heap of
// sessions of a month each is there to be stolen.
func TestAStartGoesOnWithTheSessionOfTheLastOne(t *testing.T) {
	d := newDoor(t)
	grants := []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}
	start := func(had string) string {
		t.Helper()
		secret, err := d.signIn.Owner(t.Context(), grants, had)
		d.must(err)
		if r := d.ask("GET", Prefix+"/entries", "", d.as(secret)...); r.status == 401 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return secret
	}
	first := start("")
	if got := start(first); got != first {
		t.Error("a second start left one session more")
	}
	d.later(ownerSession/2 + time.Second)
	late := start(first)
	if late == first {
		t.Error("a session that is about to end is left to commands")
	}
	if r := d.ask("GET", Prefix+"/entries", "", d.as(first)...); r.status == 401 {
		t.Errorf("a command that runs loses its session: %d %s", r.status, r.body)
	}
	c, err := d.signIn.find(t.Context(), late)
	d.must(err)
	d.must(d.signIn.revoke(t.Context(), c.ID))
	if got := start(late); got == late {
		t.Error("a session that was ended goes on")
	}
	if got := start(d.admin()); got == "" || strings.Contains(d.ask("GET", Prefix+"/me", "", d.as(got)...).body, `"admin"`) {
		t.Error("what somebody put into the file gives other roles")
	}
}

// Where a browser is led, and what it is told to send back, never comes from the request: whoever
// stands between, or names another host, would have the sign-in end at his own.
func TestTheHostOfARequestLeadsNowhere(t *testing.T) {
	d := newDoor(t)
	for _, path := range []string{"/cli", "/login", "/login?with=acme", "/login?return=//evil.test", "/callback", "/openapi.json", "/log/checkpoint/", "/api/v1", "/nothing"} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", d.http.URL+path, nil)
		d.must(err)
		r.Host = "evil.test"
		for _, name := range []string{"X-Forwarded-Host", "X-Forwarded-Proto", "X-Original-URL", "X-Rewrite-URL", "Forwarded", "X-Host"} {
			r.Header.Set(name, "evil.test")
		}
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Do(r)
		d.must(err)
		body, err := io.ReadAll(res.Body)
		d.must(err)
		_ = res.Body.Close()
		if strings.Contains(fmt.Sprint(res.Header)+string(body), "evil.test") {
			t.Errorf("%s: %v %.300s", path, res.Header, body)
		}
	}
}
