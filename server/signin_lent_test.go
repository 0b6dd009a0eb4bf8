package server

import (
	"crypto/rand"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/identity/token"
	"verdict/ledger"
)

const everywhereOf = `"scope":{"services":["*"],"teams":["*"],"environments":["*"]}`

// grant gives a role everywhere.
func (d *door) grant(subject string, r identity.Role) {
	d.t.Helper()
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"`+subject+`","role":"`+string(r)+`",`+everywhereOf+`,"reason":"r"}`, d.as(d.admin())...); r.status != 200 {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
}

func (d *door) person(name string) *evidence.KeyFile {
	d.t.Helper()
	k, err := evidence.CreateKey(filepath.Join(d.t.TempDir(), name+".pem"))
	d.must(err)
	d.enroll(name, k)
	return k
}

func (d *door) byKey(k *evidence.KeyFile) string {
	d.t.Helper()
	said, err := token.Assert(d.t.Context(), k, k.KeyID(), publicURL, d.now, rand.Reader)
	d.must(err)
	return d.exchange(token.Exchange{Assertion: said}).Token
}

func (d *door) revokeKey(k *evidence.KeyFile) {
	d.t.Helper()
	keys, err := d.ledger.Keys(d.t.Context())
	d.must(err)
	enrolled, _ := keys.Key(k.KeyID())
	d.record(verdict.KindKey, identity.NewRevocation(enrolled, "stolen"), d.key)
	d.later(knownFor + time.Millisecond)
}

// codeOf is a code that works once, for who has a session.
func (d *door) codeOf(secret string) string {
	d.t.Helper()
	page := d.ask("POST", "/cli", "", d.as(secret)...)
	_, code, _ := strings.Cut(page.body, "<code>vdc_")
	code, _, _ = strings.Cut(code, "<")
	if page.status != 200 {
		d.t.Fatalf("%d %s", page.status, page.body)
	}
	return "vdc_" + code
}

// Whoever can change what a pipeline runs waits for an administrator to start it, and would have
// his roles in it.
func TestAPipelineHasNoRolesOfWhoStartedIt(t *testing.T) {
	d := newDoor(t)
	d.people[0].Accounts = append(d.people[0].Accounts, identity.Account{System: identity.GitHub, Name: "jane"})
	d.grant("person:jane", identity.Admin)
	s := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	if s.Caller.Person != "jane" || len(s.Caller.Grants) != 1 || s.Caller.Grants[0].Role != identity.Developer {
		t.Errorf("the pipeline is %+v", s.Caller)
	}
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"`+s.Caller.Actor+`","role":"security",`+everywhereOf+`,"reason":"r"}`, d.as(s.Token)...); r.status != 403 {
		t.Errorf("it gives roles: %d %s", r.status, r.body)
	}
}

// An administrator's pipeline is no second administrator for him.
func TestAPipelineGivesNoRoleToWhoStartedIt(t *testing.T) {
	d := newDoor(t)
	d.people[0].Accounts = append(d.people[0].Accounts, identity.Account{System: identity.GitHub, Name: "jane"})
	s := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	d.restarted("grants: [{role: developer, services: [shop], environments: [prod]}]", `grants: [{role: admin, services: ["*"], environments: ["*"]}]`)
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"person:jane","role":"security",`+everywhereOf+`,"reason":"r"}`, d.as(s.Token)...); r.status != 403 || !strings.Contains(r.body, "to himself") {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// A key is revoked because somebody has it who should not. What he got with it meanwhile would
// keep him in: another session by a code, or an API token for a month.
func TestWhatASessionOfAKeyGaveEndsWithTheKey(t *testing.T) {
	d := newDoor(t)
	k := d.person("jane")
	d.grant("key:"+k.KeyID(), identity.Auditor)
	first := d.byKey(k)
	s := d.exchange(token.Exchange{Code: d.codeOf(first)})
	d.grant(s.Caller.Actor, identity.Auditor) // by which a token of one's own lasts
	made, own := d.make(first, `{"label":"cron","days":30,"grants":[{"role":"auditor",`+everywhereOf+`}]}`)
	if made.status != 200 {
		t.Fatalf("%d %s", made.status, made.body)
	}
	got := map[string]string{"a session by its code": s.Token, "an API token of its": own.Token}
	for name, secret := range got {
		if r := d.ask("GET", Prefix+"/roles", "", d.as(secret)...); r.status != 200 {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	d.revokeKey(k)
	for name, secret := range got {
		if r := d.ask("GET", Prefix+"/roles", "", d.as(secret)...); r.status != 401 {
			t.Errorf("%s holds after the key was revoked: %d %s", name, r.status, r.body)
		}
	}
}

// Whoever stole a key that was revoked since has its roles no more when he proves it beside a
// code of his own.
func TestAKeyThatWasRevokedBringsNoRolesBesideACode(t *testing.T) {
	d := newDoor(t)
	mine, stolen := d.person("mallory"), d.person("jane")
	d.grant("key:"+mine.KeyID(), identity.Viewer)
	d.grant("key:"+stolen.KeyID(), identity.Admin)
	secret := d.byKey(mine)
	with := func() Session {
		code := d.codeOf(secret)
		proof, err := token.Prove(t.Context(), stolen, publicURL, code, d.now, rand.Reader)
		d.must(err)
		return d.exchange(token.Exchange{Code: code, Proof: proof})
	}
	before := with()
	d.revokeKey(stolen)
	for name, s := range map[string]Session{"the session of before": before, "a new one": with()} {
		if r := d.ask("GET", Prefix+"/sessions?all=true", "", d.as(s.Token)...); r.status != 403 {
			t.Errorf("%s has the roles of a key that was revoked: %d %s", name, r.status, r.body)
		}
	}
}

// An API token that ends itself is one that was revoked, and its end is asked for as that of any.
func TestATokenThatEndsItselfIsRecorded(t *testing.T) {
	for name, end := range map[string][2]string{"by the API": {"DELETE", Prefix + "/session"}, "by the page": {"POST", "/logout"}} {
		d := newDoor(t)
		_, x := d.make(d.admin(), `{"label":"mirror","days":9,"machine":true,"grants":[{"role":"auditor",`+everywhereOf+`}]}`)
		if r := d.ask(end[0], end[1], "", d.as(x.Token)...); r.status >= 300 {
			t.Fatalf("%s: %d %s", name, r.status, r.body)
		}
		entries, err := d.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindAccess, At: ledger.Now})
		d.must(err)
		if len(entries) != 2 || entries[0].Context.Actor != x.Actor {
			t.Errorf("%s: recorded are %+v", name, entries)
		}
	}
}

// Whoever gets an account of an issuer that is almost somebody else's is not that person here.
func TestAnAccountThatIsAlmostSomebodysIsNobodys(t *testing.T) {
	for _, id := range []string{"oid-jane ", " oid-jane", "oid-jane\u00a0", "oid-jan\u00e9", "o\u0131d-jane"} {
		d := newDoor(t)
		d.issuer.says = map[string]any{"oid": id}
		r, _ := d.browser("/")
		if r := d.ask("GET", Prefix+"/me", "", d.as(r.cookies["__Host-verdict"].Value)...); r.status != 200 || !strings.Contains(r.body, `"person":""`) {
			t.Errorf("%q: %d %s", id, r.status, r.body)
		}
	}
}

// An administrator has more names than the one by which he is in: with a role for another of them
// he would be two.
func TestNobodyGivesARoleToAnotherNameOfHis(t *testing.T) {
	d := newDoor(t)
	own, of := d.person("jane"), d.person("noor")
	d.people = append(d.people, identity.Person{ID: "noor"})
	d.grant("person:jane", identity.Admin)
	d.grant("key:"+own.KeyID(), identity.Admin)
	r, _ := d.browser("/")
	for name, secret := range map[string]string{"signed in": r.cookies["__Host-verdict"].Value, "by a key": d.byKey(own)} {
		for subject, status := range map[string]int{"person:jane": 403, "key:" + own.KeyID(): 403, "key:" + of.KeyID(): 200, "person:noor": 200} {
			if r := d.ask("POST", Prefix+"/roles", `{"subject":"`+subject+`","role":"auditor",`+everywhereOf+`,"reason":"r"}`, d.as(secret)...); r.status != status {
				t.Errorf("%s, to %s: %d %s", name, subject, r.status, r.body)
			}
		}
	}
}
