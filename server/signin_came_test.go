package server

import (
	"strings"
	"testing"
	"time"

	"verdict/identity"
	"verdict/identity/token"
)

// restarted is the server with another sign-in file: the text stands for what it replaces.
func (d *door) restarted(changes ...string) {
	d.t.Helper()
	text := strings.NewReplacer(append(changes, "ISSUER", d.issuer.URL)...).Replace(signInFile)
	config, err := token.ReadConfig("sign-in.yaml", []byte(text))
	d.must(err)
	d.signIn.o.Config = config
}

// A rule that an operator takes out of the file gives nothing any more, also to who came in by
// it before: a pipeline for an hour, a browser for ten.
func TestASessionHasWhatTheSignInFileGivesNow(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	browser, _ := d.browser("/")
	person := d.as(browser.cookies["__Host-verdict"].Value)
	machine := d.as(d.exchange(token.Exchange{Token: d.issuer.token(github(nil))}).Token)
	has := func(name string, who []string, status int, says string) {
		t.Helper()
		if r := d.ask("GET", Prefix+"/me", "", who...); r.status != status || !strings.Contains(r.body, says) {
			t.Errorf("%s: %d %s, want %d with %s", name, r.status, r.body, status, says)
		}
	}
	has("as they came in", person, 200, `"role":"security"`)
	has("as it came in", machine, 200, `"role":"developer"`)
	d.restarted("role: security", "role: auditor", "role: developer, services: [shop]", "role: viewer, services: [shop]")
	has("a group that gives another role", person, 200, `"role":"auditor"`)
	has("a rule that gives another role", machine, 200, `"role":"viewer"`)
	d.restarted("id: g-security", "id: g-others")
	has("a group that gives nothing", person, 200, `"grants":[]`)
	d.restarted("repository_id: 74", "repository_id: 75", "claim: oid", "claim: sub")
	has("another repository's rule", machine, 401, "")
	has("another claim names people", person, 401, "")
	d.restarted("workload: repo:acme/shop:environment:prod", "workload: repo:acme/shop")
	has("a rule that calls it something else", machine, 401, "")
	d.restarted()
	has("the rule of then", machine, 200, `"role":"developer"`)
}

// Nobody tells a server that somebody has left a group, so what rests on one ends soon, and
// an API token, which holds for a month, does not rest on any.
func TestWhatRestsOnAGroupEndsSoon(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	browser, _ := d.browser("/")
	c := browser.cookies["__Host-verdict"]
	if c.MaxAge != int(groupsFor.Seconds()) {
		t.Errorf("the browser is in for %d s", c.MaxAge)
	}
	const own = `{"label":"nightly","days":30,"grants":[{"role":"security","scope":{"services":["shop"],"teams":[],"environments":["prod"]}}]}`
	if r, _ := d.make(c.Value, own); r.status != 403 || !strings.Contains(r.body, "by a group") || !strings.Contains(r.body, "verdict roles grant") {
		t.Errorf("a token of a month by a group: %d %s", r.status, r.body)
	}
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"person:jane","role":"security","scope":{"services":["shop"],"teams":[],"environments":["prod"]},"reason":"r"}`, d.as(d.admin())...); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	r, x := d.make(c.Value, own)
	if r.status != 200 {
		t.Fatalf("a token by the ledger: %d %s", r.status, r.body)
	}
	d.later(groupsFor)
	if r := d.ask("GET", Prefix+"/roles", "", d.as(c.Value)...); r.status != 401 {
		t.Errorf("after %s the browser is still in: %d %s", groupsFor, r.status, r.body)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(x.Token)...); !strings.Contains(r.body, `"role":"security"`) {
		t.Errorf("the token: %d %s", r.status, r.body)
	}
	// A file that gives a role to a group of then, once the groups are old, gives nobody any.
	by := came{People: "acme", Groups: []string{"g-security"}, At: d.now.Add(-groupsFor).UnixMicro()}
	if got := d.signIn.grouped(&d.signIn.o.Config.People[0], by); len(got) != 0 {
		t.Errorf("by groups of %s ago: %v", groupsFor, got)
	}
	by.At = d.now.Add(time.Hour).UnixMicro()
	if got := d.signIn.grouped(&d.signIn.o.Config.People[0], by); len(got) != 0 {
		t.Errorf("by groups of a clock that went back: %v", got)
	}
}

// Two ways to roles that belong to nobody at once are no way to both.
func TestRolesOfTheFileAndOfTheLedgerAreHeldTogether(t *testing.T) {
	d := newDoor(t)
	d.issuer.says = map[string]any{"groups": []string{"g-security"}}
	browser, _ := d.browser("/")
	secret := browser.cookies["__Host-verdict"].Value
	governs := func() error {
		cred, err := d.signIn.find(t.Context(), secret)
		d.must(err)
		c, err := d.signIn.caller(t.Context(), cred)
		d.must(err)
		return c.May(identity.Governing, identity.Object{})
	}
	if err := governs(); err != nil {
		t.Fatal(err)
	}
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"person:jane","role":"developer","scope":{"services":["shop"],"teams":[],"environments":["*"]},"reason":"r"}`, d.as(d.admin())...); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if governs() == nil {
		t.Error("a group and a grant together let somebody state evidence and govern")
	}
}
