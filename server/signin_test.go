package server

import (
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/ledger"
	"verdict/server/wire"
)

// A pipeline signs in without a secret, for one hour, as what the rule calls it.
func TestAPipelineSignsInWithItsTokenOnce(t *testing.T) {
	d := newDoor(t)
	raw := d.issuer.token(github(nil))
	s := d.exchange(token.Exchange{Token: raw})
	c := s.Caller
	if c.Workload != "repo:acme/shop:environment:prod" || c.Issuer != d.issuer.URL || c.Account != "github:jane" || c.Key != "" || len(c.Grants) != 1 || c.Grants[0].Role != identity.Developer || s.Expires.Sub(d.now) != time.Hour {
		t.Errorf("%+v", s)
	}
	if strings.Contains(c.Actor, "jane") || strings.Contains(c.Actor, "acme") {
		t.Errorf("the id tells who it is: %s", c.Actor)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(s.Token)...); r.status != 200 || !strings.Contains(r.body, `"name":"repo:acme/shop:environment:prod"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	d.refused(token.Exchange{Token: raw}, "exchanged before")
	again := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	if again.Caller.Actor != c.Actor || again.Token == s.Token {
		t.Errorf("the next run is somebody else, or shares a session: %+v", again.Caller)
	}
	d.later(time.Hour)
	if r := d.ask("GET", Prefix+"/roles", "", d.as(s.Token)...); r.status != 401 || !strings.Contains(r.body, "expired") {
		t.Errorf("after an hour: %d %s", r.status, r.body)
	}
}

// What lies in a file until it is renewed is exchanged again by every command of the pod, and
// what lies in a variable by every command of the job, which cannot ask for another.
func TestATokenThatLiesInAFileOrVariableIsExchangedAgain(t *testing.T) {
	d := newDoor(t)
	for workload, claims := range map[string]map[string]any{
		"k8s:ci:runner":    {"sub": "system:serviceaccount:ci:runner", "kubernetes.io": map[string]any{"namespace": "ci", "serviceaccount": map[string]any{"name": "runner", "uid": "u"}}},
		"gitlab:acme/till": {"sub": "project_path:acme/till:ref_type:branch:ref:main", "project_id": "22"},
	} {
		raw := d.issuer.token(claims)
		one, two := d.exchange(token.Exchange{Token: raw}), d.exchange(token.Exchange{Token: raw})
		if one.Token == two.Token || one.Caller.Actor != two.Caller.Actor || one.Caller.Workload != workload {
			t.Errorf("%s: %+v, %+v", workload, one, two)
		}
	}
}

func TestWhatIsNoSignInGivesNoSession(t *testing.T) {
	d := newDoor(t)
	d.refused(token.Exchange{}, "0 of token, assertion and code")
	d.refused(token.Exchange{Token: d.issuer.token(github(nil)), Code: "x"}, "2 of token")
	d.refused(token.Exchange{Token: d.issuer.token(github(map[string]any{"repository_id": "75"}))}, "no rule")
	d.refused(token.Exchange{Token: d.issuer.token(github(map[string]any{"environment": nil}))}, "no rule")
	d.refused(token.Exchange{Token: d.issuer.token(github(map[string]any{"aud": "https://other.example"}))}, "alone")
	d.refused(token.Exchange{Token: d.issuer.token(github(map[string]any{"aud": "client"}))}, "alone")
	d.refused(token.Exchange{Token: d.issuer.token(github(nil)), Proof: "x.y.z"}, "in one way only")
	d.refused(token.Exchange{Code: "vdc_" + strings.Repeat("A", 43)}, "not known")
	d.refused(token.Exchange{Assertion: d.issuer.token(nil)}, "not signed in a way")
	if r := d.ask("POST", Prefix+"/token", `{"token":"x","admin":true}`); r.status < 400 {
		t.Errorf("a member that is not known: %d", r.status)
	}
}

// The session of a pipeline is bound to the key of its run, and evidence names that key.
func TestASessionIsBoundToTheKeyThatWasProved(t *testing.T) {
	d := newDoor(t)
	run, err := evidence.CreateKey(filepath.Join(t.TempDir(), "run.pem"))
	d.must(err)
	raw := d.issuer.token(github(nil))
	proof, err := token.Prove(t.Context(), run, publicURL, raw, d.now, rand.Reader)
	d.must(err)
	s := d.exchange(token.Exchange{Token: raw, Proof: proof})
	if s.Caller.Key != run.KeyID() {
		t.Fatalf("%+v", s.Caller)
	}
	b, err := d.signIn.Bound(t.Context(), s.Caller)
	if err != nil || b == nil || b.Key != run.PublicPEM() || b.Token.Hex() != digestOf(raw) {
		t.Fatalf("%+v, %v", b, err)
	}
	d.refused(token.Exchange{Token: d.issuer.token(github(nil)), Proof: proof}, "another token")
	d.ask("DELETE", Prefix+"/session", "", d.as(s.Token)...)
	if b, err := d.signIn.Bound(t.Context(), s.Caller); b != nil || err != nil {
		t.Errorf("after the session: %+v, %v", b, err)
	}
}

func TestAnEnrolledKeySignsInUntilItEnds(t *testing.T) {
	d := newDoor(t)
	k, err := evidence.CreateKey(filepath.Join(t.TempDir(), "jane.pem"))
	d.must(err)
	assert := func() string {
		a, err := token.Assert(t.Context(), k, k.KeyID(), publicURL, d.now, rand.Reader)
		d.must(err)
		return a
	}
	d.refused(token.Exchange{Assertion: assert()}, "not enrolled")
	d.enroll("jane", k)
	said := assert()
	s := d.exchange(token.Exchange{Assertion: said})
	if s.Caller.Key != k.KeyID() || s.Caller.Person != "" || len(s.Caller.Grants) != 0 {
		t.Errorf("the name that a key bears is the word of who enrolled it: %+v", s.Caller)
	}
	d.refused(token.Exchange{Assertion: said}, "exchanged before")
	if r := d.ask("GET", Prefix+"/sessions?all=true", "", d.as(d.admin())...); !strings.Contains(r.body, `"label":"key `+k.KeyID()[:12]+`"`) {
		t.Errorf("which key a session is of is not told: %s", r.body)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(s.Token)...); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	keys, err := d.ledger.Keys(t.Context())
	d.must(err)
	enrolled, _ := keys.Key(k.KeyID())
	d.record("key", identity.NewRevocation(enrolled, "lost"), d.key)
	d.refused(token.Exchange{Assertion: assert()}, "not enrolled")
	d.later(knownFor + time.Millisecond)
	if r := d.ask("GET", Prefix+"/me", "", d.as(s.Token)...); r.status != 401 && r.status != 403 || !strings.Contains(r.body, "not signed in") && !strings.Contains(r.body, "nobody is signed in") {
		t.Errorf("whoever stole the key is in still: %d %s", r.status, r.body)
	}
}

// Who runs a server for himself has one key, which signs for both; elsewhere the server's key
// is nobody's.
func TestTheServersOwnKeyGivesWhatTheOperatorSays(t *testing.T) {
	d := newDoor(t)
	roles := func() []identity.Grant {
		a, err := token.Assert(t.Context(), d.key, d.key.KeyID(), publicURL, d.now, rand.Reader)
		d.must(err)
		return d.exchange(token.Exchange{Assertion: a}).Caller.Grants
	}
	if got := roles(); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	d.signIn.o.Own = []identity.Grant{{Role: identity.Developer, Scope: identity.Anywhere()}}
	if got := roles(); len(got) != 1 || got[0].Role != identity.Developer {
		t.Errorf("%+v", got)
	}
}

// The link that verdict serve prints opens the door once, within ten minutes, from here.
func TestTheLinkOfTheStartWorksOnceAndHere(t *testing.T) {
	d := newDoor(t)
	grants := []identity.Grant{{Role: identity.Admin, Scope: identity.Anywhere()}}
	code, err := d.signIn.Link(t.Context(), grants)
	d.must(err)
	r := d.ask("GET", "/login?code="+code+"&return=/roles", "")
	c := r.cookies["__Host-verdict"]
	if r.status != http.StatusSeeOther || r.header.Get("Location") != "/roles" || c == nil || !c.HttpOnly || !c.Secure || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" {
		t.Fatalf("%d %s %+v", r.status, r.body, c)
	}
	if r := d.ask("GET", Prefix+"/me", "", "Cookie", c.Name+"="+c.Value); r.status != 200 || !strings.Contains(r.body, `"admin"`) {
		t.Errorf("%d %s", r.status, r.body)
	}
	d.refused(token.Exchange{Code: code}, "works once")
	if code, err = d.signIn.Link(t.Context(), grants); err != nil {
		t.Fatal(err)
	}
	if _, err := d.signIn.Exchange(t.Context(), token.Exchange{Code: code}, "192.0.2.7:4000"); err == nil {
		t.Error("it opens the door from another machine")
	}
	if code, err = d.signIn.Link(t.Context(), grants); err != nil {
		t.Fatal(err)
	}
	d.later(10 * time.Minute)
	d.refused(token.Exchange{Code: code}, "works once")
	if _, err := d.signIn.Link(t.Context(), []identity.Grant{{Role: identity.Developer}, {Role: identity.Security}}); err == nil {
		t.Error("it gives roles that belong to nobody at once")
	}
}

// browser signs Jane in as a browser does, and gives where she was led and her cookies.
func (d *door) browser(back string, header ...string) (reply, string) {
	d.t.Helper()
	r := d.ask("GET", "/login?return="+url.QueryEscape(back), "")
	kept := r.cookies["__Host-verdict-login"]
	if r.status != http.StatusSeeOther || kept == nil || !kept.HttpOnly || !kept.Secure || kept.SameSite != http.SameSiteLaxMode {
		d.t.Fatalf("%d %s %+v", r.status, r.body, kept)
	}
	to, err := url.Parse(r.header.Get("Location"))
	d.must(err)
	for name, want := range map[string]string{"response_type": "code", "code_challenge_method": "S256", "client_id": "client", "redirect_uri": publicURL + "/callback"} {
		if to.Query().Get(name) != want {
			d.t.Errorf("%s is %q", name, to.Query().Get(name))
		}
	}
	res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(to.String())
	d.must(err)
	res.Body.Close()
	led, err := url.Parse(res.Header.Get("Location"))
	d.must(err)
	return d.ask("GET", "/callback?"+led.RawQuery, "", append([]string{"Cookie", kept.Name + "=" + kept.Value}, header...)...), led.RawQuery
}

func TestAPersonSignsInAtTheIssuerAndIsKnownByTheAccount(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-other", "g-security"}}
	r, query := d.browser("/decisions?point=deploy.gate")
	if r.status != http.StatusSeeOther || r.header.Get("Location") != "/decisions?point=deploy.gate" || r.cookies["__Host-verdict-login"].MaxAge >= 0 {
		t.Fatalf("%d %s %v", r.status, r.body, r.header)
	}
	c := r.cookies["__Host-verdict"]
	me := d.ask("GET", Prefix+"/me", "", "Cookie", c.Name+"="+c.Value)
	var who wire.Me
	if err := json.Unmarshal([]byte(me.body), &who); err != nil || who.Person != "jane" || who.Account != "entra:oid-jane" || who.Name != "Jane Doe" || len(who.Grants) != 1 || who.Grants[0].Role != identity.Security {
		t.Fatalf("%s %v", me.body, err)
	}
	if r := d.ask("GET", "/callback?"+query, "", "Cookie", "__Host-verdict-login="); r.status < 400 {
		t.Errorf("the same answer of the issuer signs in a browser that asked nothing: %d", r.status)
	}
}

// Without these checks a page of somebody else signs a victim in as its author, or the
// answer to one browser is used by another.
func TestASignInEndsInTheBrowserThatBeganIt(t *testing.T) {
	d := newDoor(t)
	begin := func() (cookie string, query url.Values) {
		r := d.ask("GET", "/login", "")
		c := r.cookies["__Host-verdict-login"]
		res, err := (&http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}).Get(r.header.Get("Location"))
		d.must(err)
		res.Body.Close()
		led, err := url.Parse(res.Header.Get("Location"))
		d.must(err)
		return c.Name + "=" + c.Value, led.Query()
	}
	mine, my := begin()
	other, others := begin()
	for name, try := range map[string][2]string{
		"no cookie":                     {"", my.Encode()},
		"the cookie of another browser": {other, my.Encode()},
		"no state":                      {mine, url.Values{"code": my["code"]}.Encode()},
		"the code of another sign-in":   {mine, url.Values{"code": others["code"], "state": my["state"]}.Encode()},
		"a code that is none":           {mine, url.Values{"code": {"x"}, "state": my["state"]}.Encode()},
		"the issuer says no":            {mine, url.Values{"error": {"access_denied<script>"}, "state": my["state"]}.Encode()},
		"a cookie that is none":         {"__Host-verdict-login=e30", "state="},
	} {
		r := d.ask("GET", "/callback?"+try[1], "", "Cookie", try[0])
		if r.status < 400 || r.cookies["__Host-verdict"] != nil || strings.Contains(r.body, "<script") {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	late, when := begin()
	d.later(11 * time.Minute)
	if r := d.ask("GET", "/callback?"+when.Encode(), "", "Cookie", late); r.status < 400 {
		t.Errorf("after eleven minutes: %d", r.status)
	}
	for name, says := range map[string]map[string]any{
		"of another sign-in": {"nonce": "other"}, "for another client": {"aud": "other"}, "for several": {"aud": []string{"client", "other"}}, "authorised for another": {"azp": "other"},
		"without the account": {"oid": nil},
	} {
		d.issuer.says = says
		if r, _ := d.browser("/"); r.status < 400 || r.cookies["__Host-verdict"] != nil {
			t.Errorf("a token %s: %d", name, r.status)
		}
	}
}

func TestASignInLeadsToNoOtherServer(t *testing.T) {
	d := newDoor(t)
	for _, to := range []string{"https://mallory.example", "//mallory.example", "/\\mallory.example", "\\/mallory.example", "javascript:alert(1)", "/a\r\nSet-Cookie: x=y", "mallory.example", "///mallory.example", "/\t/mallory.example", "http:/mallory.example"} {
		if r, _ := d.browser(to); r.header.Get("Location") != "/" {
			t.Errorf("%q leads to %q", to, r.header.Get("Location"))
		}
	}
}

// A session that was planted in a browser before its owner signs in is not the one that he
// signs in to, and does not hold any more.
func TestASignInGivesANewSession(t *testing.T) {
	d := newDoor(t)
	planted := d.admin()
	r, _ := d.browser("/", "Cookie", "__Host-verdict="+planted)
	if c := r.cookies["__Host-verdict"]; c == nil || c.Value == planted {
		t.Fatalf("%+v", c)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(planted)...); r.status != 401 {
		t.Errorf("the planted session: %d", r.status)
	}
}

// A cookie that was stolen opens nothing once its owner has signed out.
func TestASessionIsOverEverywhereOnceItIsRevoked(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	r, _ := d.browser("/")
	stolen := r.cookies["__Host-verdict"].Value
	cookie := []string{"Cookie", "__Host-verdict=" + stolen, "Origin", publicURL}
	if r := d.ask("GET", Prefix+"/me", "", cookie...); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := d.ask("POST", "/logout", "", "Cookie", "__Host-verdict="+stolen, "Origin", "https://mallory.example"); r.status != 403 {
		t.Errorf("a page of somebody else signs out: %d", r.status)
	}
	if r := d.ask("POST", "/logout", "", cookie...); r.status != 200 || r.cookies["__Host-verdict"].MaxAge >= 0 {
		t.Errorf("%d %s", r.status, r.body)
	}
	for _, with := range [][]string{cookie, d.as(stolen)} {
		if r := d.ask("GET", Prefix+"/me", "", with...); r.status != 401 {
			t.Errorf("after signing out: %d %s", r.status, r.body)
		}
	}
}

func TestAPageOfAnotherOriginChangesNothingWithACookie(t *testing.T) {
	d := newDoor(t)
	cookie := "__Host-verdict=" + d.admin()
	body := `{"subject":"person:jane","role":"admin","scope":{"services":["*"],"teams":["*"],"environments":["*"]},"reason":"x"}`
	for name, header := range map[string][]string{
		"of another origin":          {"Cookie", cookie, "Origin", "https://mallory.example"},
		"of a sandbox":               {"Cookie", cookie, "Origin", "null"},
		"that says nothing":          {"Cookie", cookie},
		"of another site, by header": {"Cookie", cookie, "Origin", publicURL, "Sec-Fetch-Site", "cross-site"},
		"with a token of its own":    {"Cookie", cookie, "Authorization", "Bearer x"},
		"with two tokens":            {"Cookie", cookie, "Authorization", "Bearer x", "Authorization", "Bearer y"},
	} {
		if r := d.ask("POST", Prefix+"/roles", body, header...); r.status != 403 && r.status != 401 {
			t.Errorf("a page %s: %d %s", name, r.status, r.body)
		}
	}
	if r := d.ask("POST", Prefix+"/roles", body, "Cookie", cookie, "Origin", publicURL, "Sec-Fetch-Site", "same-origin"); r.status != 200 {
		t.Errorf("the server's own page: %d %s", r.status, r.body)
	}
}

func TestACodeOfTheBrowserSignsTheCommandLineIn(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	if r := d.ask("GET", "/cli", ""); r.header.Get("Location") != "/login?return=/cli" {
		t.Fatalf("%d %v", r.status, r.header)
	}
	r, _ := d.browser("/cli")
	cookie := []string{"Cookie", "__Host-verdict=" + r.cookies["__Host-verdict"].Value, "Origin", publicURL}
	page := d.ask("POST", "/cli", "", cookie...)
	_, code, _ := strings.Cut(page.body, "<code>vdc_")
	code, _, _ = strings.Cut(code, "<")
	if page.status != 200 || len(code) != secretLength-len(codePrefix) || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Fatalf("%d %s", page.status, page.body)
	}
	d.later(5 * time.Minute)
	s := d.exchange(token.Exchange{Code: "vdc_" + code})
	if s.Caller.Person != "jane" || s.Expires.Sub(d.now) != groupsFor-5*time.Minute {
		t.Errorf("it outlives the session that it came from, or is somebody else's: %+v", s)
	}
	d.refused(token.Exchange{Code: "vdc_" + code}, "works once")
}

// A person who signed in is told from what merely holds her roles: a server signs approvals for
// the one, and would sign them for whoever finds a token or a key.
func TestWhoIsThereIsKnownByHowHeSignedIn(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	there := func(header ...string) bool {
		t.Helper()
		r := d.ask("GET", Prefix+"/me", "", header...)
		var who wire.Me
		if err := json.Unmarshal([]byte(r.body), &who); err != nil || r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return who.SignedIn
	}
	r, _ := d.browser("/cli")
	secret := r.cookies["__Host-verdict"].Value
	cookie := []string{"Cookie", "__Host-verdict=" + secret}
	page := d.ask("POST", "/cli", "", append(cookie, "Origin", publicURL)...)
	_, code, _ := strings.Cut(page.body, "<code>vdc_")
	code, _, _ = strings.Cut(code, "<")
	if !there(cookie...) || !there(d.as(d.exchange(token.Exchange{Code: "vdc_" + code}).Token)...) {
		t.Error("a person who signed in is not there")
	}
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"person:jane","role":"approver","scope":{"services":["*"],"teams":[],"environments":["*"]},"reason":"r"}`, d.as(d.admin())...); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	made, own := d.make(secret, `{"label":"cron","days":1,"grants":[{"role":"approver","scope":{"services":["*"],"teams":[],"environments":["*"]}}]}`)
	if made.status != 200 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	said, err := token.Assert(t.Context(), d.key, d.key.KeyID(), publicURL, d.now, rand.Reader)
	d.must(err)
	for name, secret := range map[string]string{
		"an API token of hers":          own.Token,
		"a pipeline that she started":   d.exchange(token.Exchange{Token: d.issuer.token(github(nil))}).Token,
		"who signs in with a key":       d.exchange(token.Exchange{Assertion: said}).Token,
		"who has the link of the start": d.admin(),
	} {
		if there(d.as(secret)...) {
			t.Errorf("%s is taken for a person who signed in", name)
		}
	}
}

// What is looked for by its digest is never in the database as it is.
func TestNoSecretLiesInTheStore(t *testing.T) {
	d := newDoor(t)
	s := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	c, found, err := d.signIn.credential(t.Context(), s.Caller.Session)
	if err != nil || !found {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", c); strings.Contains(text, s.Token) || strings.Contains(text, s.Token[4:]) || c.Digest != digestOf(s.Token) {
		t.Error(text)
	}
	d.later(2 * time.Hour)
	d.must(d.signIn.Sweep(t.Context()))
	if _, found, err = d.signIn.credential(t.Context(), s.Caller.Session); found || err != nil {
		t.Errorf("it stays after its end: %v", err)
	}
}

// What a pipeline states with the key of its run is recorded as the workload's, who its token
// says it is, and nobody signs in its name with another key.
func TestWhatAPipelineStatesIsItsWorkloads(t *testing.T) {
	d := newDoor(t)
	run, err := evidence.CreateKey(filepath.Join(t.TempDir(), "run.pem"))
	d.must(err)
	raw := d.issuer.token(github(nil))
	proof, err := token.Prove(t.Context(), run, publicURL, raw, d.now, rand.Reader)
	d.must(err)
	bound, free := d.exchange(token.Exchange{Token: raw, Proof: proof}), d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	b := d.signed(verdict.KindSBOM, map[string]any{"bomFormat": "CycloneDX"}, run, verdict.Context{Service: "shop", Environment: "prod"})
	send := func(secret string) reply {
		return d.ask("POST", Prefix+"/evidence", string(b.JSON()), append(d.as(secret), "Content-Type", wire.BundleType)...)
	}
	if r := send(free.Token); r.status < 400 {
		t.Errorf("a session that is bound to no key: %d %s", r.status, r.body)
	}
	if r := send(bound.Token); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	found, err := d.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindSBOM, At: ledger.Now})
	if err != nil || len(found) != 1 || evidence.ParseProducer(found[0].Producer) != (evidence.Producer{Workload: "repo:acme/shop:environment:prod", Issuer: d.issuer.URL}) || found[0].Context.Actor != bound.Caller.Actor {
		t.Errorf("%+v, %v", found, err)
	}
}
