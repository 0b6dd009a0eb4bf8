package server

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"verdict/identity"
	"verdict/server/wire"
)

func (d *door) make(secret, body string) (reply, wire.TokenMade) {
	r := d.ask("POST", Prefix+"/tokens", body, d.as(secret)...)
	var x wire.TokenMade
	if r.status == 200 {
		d.must(json.Unmarshal([]byte(r.body), &x))
	}
	return r, x
}

const viewerOfShop = `{"label":"nightly","days":30,"grants":[{"role":"developer","scope":{"services":["shop"],"teams":[],"environments":["prod"]}}]}`

// An API token gives what its owner has while he has it: who loses a role does not keep it in
// a file.
func TestATokenGivesWhatItsOwnerStillHas(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	give := func(method, path, body string) {
		if r := d.ask(method, Prefix+path, body, d.as(admin)...); r.status != 200 {
			t.Fatalf("%d %s", r.status, r.body)
		}
	}
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	if r, _ := d.make(secret, viewerOfShop); r.status != 403 {
		t.Fatalf("without the role: %d %s", r.status, r.body)
	}
	give("POST", "/roles", `{"subject":"person:jane","role":"developer","scope":{"services":["shop"],"teams":[],"environments":["*"]},"reason":"r"}`)
	r, x := d.make(secret, viewerOfShop)
	if r.status != 200 || !strings.HasPrefix(x.Token, "vdt_") || len(x.Token) != secretLength || x.Expires.Sub(d.now) != 30*24*time.Hour {
		t.Fatalf("%d %s", r.status, r.body)
	}
	may := func() string { return d.ask("GET", Prefix+"/me", "", d.as(x.Token)...).body }
	if got := may(); !strings.Contains(got, `"environments":["prod"]`) || !strings.Contains(got, `"person":"jane"`) {
		t.Errorf("%s", got)
	}
	if r, _ := d.make(x.Token, viewerOfShop); r.status != 403 || !strings.Contains(r.body, "makes no other one") {
		t.Errorf("a token that makes tokens: %d %s", r.status, r.body)
	}
	if r, _ := d.make(secret, strings.Replace(viewerOfShop, `"days":30`, `"days":31`, 1)); r.status != 422 {
		t.Errorf("for a month and a day: %d %s", r.status, r.body)
	}
	for name, change := range map[string][2]string{"for ever": {`"days":30,`, ``}, "of another service": {`"shop"`, `"bank"`}, "of every service": {`"shop"`, `"*"`}, "of another role": {"developer", "approver"}, "of no role": {"developer", "root"}} {
		if r, _ := d.make(secret, strings.Replace(viewerOfShop, change[0], change[1], 1)); r.status < 400 {
			t.Errorf("a token %s: %d", name, r.status)
		}
	}
	give("DELETE", "/roles?subject=person:jane&role=developer&reason=left", "")
	if got := may(); !strings.Contains(got, `"grants":[]`) {
		t.Errorf("after the role was taken: %s", got)
	}
}

func TestATokenEndsByItsDateOrSooner(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	machine := `{"label":"mirror","days":366,"machine":true,"grants":[{"role":"auditor","scope":{"services":["*"],"teams":[],"environments":["*"]}}]}`
	r, x := d.make(admin, machine)
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	var book struct{ Roles []wire.RoleGrants }
	d.must(json.Unmarshal([]byte(d.ask("GET", Prefix+"/roles", "", d.as(admin)...).body), &book))
	if len(book.Roles) != 1 || book.Roles[0].Subject != x.Actor || book.Roles[0].Grants[0].Role != identity.Auditor {
		t.Errorf("what a machine may do is no evidence: %+v", book)
	}
	if r := d.ask("GET", Prefix+"/roles", "", d.as(x.Token)...); r.status != 200 {
		t.Errorf("%d %s", r.status, r.body)
	}
	var list struct{ Items []wire.Held }
	d.must(json.Unmarshal([]byte(d.ask("GET", Prefix+"/tokens?all=true", "", d.as(admin)...).body), &list))
	if len(list.Items) != 1 || list.Items[0].ID != x.ID || list.Items[0].Label != "mirror" || strings.Contains(r.body, digestOf(x.Token)) {
		t.Errorf("%+v", list)
	}
	if r := d.ask("DELETE", Prefix+"/sessions/"+x.ID, "", d.as(admin)...); r.status != 404 {
		t.Errorf("a token is no session: %d", r.status)
	}
	if r := d.ask("DELETE", Prefix+"/tokens/"+x.ID, "", d.as(admin)...); r.status != 204 {
		t.Errorf("%d %s", r.status, r.body)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(x.Token)...); r.status != 401 {
		t.Errorf("revoked: %d", r.status)
	}
	_, y := d.make(admin, machine)
	d.later(366 * 24 * time.Hour)
	if r := d.ask("GET", Prefix+"/me", "", d.as(y.Token)...); r.status != 401 {
		t.Errorf("after a year: %d", r.status)
	}
}

// Who was erased is nobody's name any more, and evidence names him by the same id.
func TestAnActorIsForgottenAndHisIdStays(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	auditor := d.with(identity.Auditor, identity.Anywhere())
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	var who wire.Me
	d.must(json.Unmarshal([]byte(d.ask("GET", Prefix+"/me", "", d.as(secret)...).body), &who))
	if r := d.ask("GET", Prefix+"/actors/"+who.Actor, "", d.as(auditor)...); r.status != 200 || !strings.Contains(r.body, "Jane Doe") || !strings.Contains(r.body, "jane@example.com") {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := d.ask("DELETE", Prefix+"/actors/"+who.Actor, "", d.as(admin)...); r.status != 204 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if r := d.ask("GET", Prefix+"/me", "", d.as(secret)...); r.status != 401 {
		t.Errorf("a session of who was erased: %d", r.status)
	}
	again, _ := d.browser("/")
	r := d.ask("GET", Prefix+"/me", "", d.as(again.cookies["__Host-verdict"].Value)...)
	if !strings.Contains(r.body, who.Actor) || strings.Contains(r.body, "Jane") {
		t.Errorf("signed in again: %s", r.body)
	}
	if r := d.ask("GET", Prefix+"/actors/"+who.Actor, "", d.as(auditor)...); strings.Contains(r.body, "Jane") || strings.Contains(r.body, "@") || !strings.Contains(r.body, `"erased"`) {
		t.Errorf("%s", r.body)
	}
	if r := d.ask("DELETE", Prefix+"/actors/nobody", "", d.as(admin)...); r.status != 404 {
		t.Errorf("%d %s", r.status, r.body)
	}
}
