package server

import (
	"strings"
	"testing"

	"verdict/identity"
	"verdict/identity/token"
)

const everywhereOf = `"scope":{"services":["*"],"teams":["*"],"environments":["*"]}`

// grant gives a role everywhere.
func (d *door) grant(subject string, r identity.Role) {
	d.t.Helper()
	if r := d.ask("POST", Prefix+"/roles", `{"subject":"`+subject+`","role":"`+string(r)+`",`+everywhereOf+`,"reason":"r"}`, d.as(d.admin())...); r.status != 200 {
		d.t.Fatalf("%d %s", r.status, r.body)
	}
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
