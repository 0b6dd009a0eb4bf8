package server

import (
	"slices"
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
)

// Who let whom in, and who shut whom out, is asked for years later. The log that only the
// operator keeps is no answer, and names of people are in no evidence.
func TestWhoMadeAndEndedAccessIsEvidence(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	r, token := d.make(admin, `{"label":"mirror","days":9,"machine":true,"grants":[{"role":"auditor","scope":{"services":["*"],"teams":[],"environments":["*"]}}]}`)
	if r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	jane, _ := d.browser("/")
	cred, err := d.signIn.find(t.Context(), jane.cookies["__Host-verdict"].Value)
	d.must(err)
	for _, path := range []string{"/tokens/" + token.ID, "/sessions/" + cred.ID, "/actors/" + cred.Actor} {
		if r := d.ask("DELETE", Prefix+path, "", d.as(admin)...); r.status != 204 {
			t.Fatalf("%s: %d %s", path, r.status, r.body)
		}
	}
	entries, err := d.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindAccess, At: ledger.Now})
	d.must(err)
	var acts []identity.AccessAct
	for _, e := range slices.Backward(entries) {
		b, err := d.ledger.Bundle(t.Context(), e.Index)
		d.must(err)
		var x identity.Access
		s, err := b.Statement()
		d.must(err)
		d.must(s.Decode(&x))
		acts = append(acts, x.Act)
		if x.By == "" || x.By != e.Context.Actor || x.Subject == "" || e.Signer != d.key.KeyID() || strings.Contains(string(b.JSON()), "Jane") || strings.Contains(string(b.JSON()), "mirror") {
			t.Errorf("%+v in %+v", x, e)
		}
	}
	if want := []identity.AccessAct{identity.TokenMade, identity.TokenRevoked, identity.SessionRevoked, identity.ActorErased}; !slices.Equal(acts, want) {
		t.Errorf("recorded are %v, want %v", acts, want)
	}
	// Nobody makes it up, whatever his roles are.
	forged := d.signed(verdict.KindAccess, identity.Access{ID: "c1", Act: identity.ActorErased, Subject: cred.Actor, By: "a"}, d.key, verdict.Context{})
	for _, role := range identity.Roles {
		if r := d.ask("POST", Prefix+"/evidence", string(forged.JSON()), append(d.as(d.with(role, identity.Anywhere())), "Content-Type", wire.BundleType)...); r.status != 403 {
			t.Errorf("%s states it: %d %s", role, r.status, r.body)
		}
	}
}
