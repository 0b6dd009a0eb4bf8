package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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

// mayWrite says who may what, apart from the product's own table: a slip there is to be seen here.
var mayWrite = map[string][]identity.Role{
	"state an SBOM":           {identity.Developer},
	"state a deployment":      {identity.Developer},
	"ask for an exception":    {identity.Developer},
	"accept an exception":     {identity.Security},
	"revoke an exception":     {identity.Security},
	"approve":                 {identity.Approver, identity.Security},
	"break the glass":         {identity.Approver, identity.Security},
	"release a map":           {identity.Security},
	"release a policy":        {identity.Security},
	"change a mode":           {identity.Security},
	"enroll a key":            {identity.Developer, identity.Approver, identity.Security, identity.Admin},
	"end another's key":       {identity.Security, identity.Admin},
	"hold evidence":           {identity.Auditor},
	"give a role":             {identity.Admin},
	"take a role":             {identity.Admin},
	"appoint a machine":       {identity.Admin},
	"end another's session":   {identity.Admin},
	"list others' sessions":   {identity.Admin},
	"erase an actor":          {identity.Admin},
	"look behind an actor":    {identity.Auditor},
	"decide":                  {}, // the server does
	"vouch for others":        {},
	"say that it was pruned":  {},
	"change roles by a file":  {identity.Admin}, // recorded, and of no effect: see the next test
	"state what others admit": {},
}

// acts are the writes: as a statement about an object, or as a request about the organisation.
var acts = map[string]struct {
	kind      verdict.Kind
	predicate any
	method    string
	path      string
	body      string
}{
	"state an SBOM":           {kind: verdict.KindSBOM, predicate: map[string]any{"bomFormat": "CycloneDX"}},
	"state a deployment":      {kind: verdict.KindDeployment, predicate: map[string]any{}},
	"ask for an exception":    {kind: verdict.KindException, predicate: map[string]any{"id": "x", "step": "request"}},
	"accept an exception":     {kind: verdict.KindException, predicate: map[string]any{"id": "x", "step": "approve"}},
	"revoke an exception":     {kind: verdict.KindException, predicate: map[string]any{"id": "x", "step": "revoke"}},
	"approve":                 {kind: verdict.KindApproval, predicate: map[string]any{"id": "x"}},
	"break the glass":         {kind: verdict.KindBreakGlass, predicate: map[string]any{"id": "x"}},
	"release a map":           {kind: verdict.KindMapRelease, predicate: map[string]any{"id": "x"}},
	"release a policy":        {kind: verdict.KindPolicyRelease, predicate: map[string]any{"id": "x"}},
	"change a mode":           {kind: verdict.KindModeChange, predicate: map[string]any{"id": "x"}},
	"enroll a key":            {kind: verdict.KindKey, predicate: map[string]any{"key": "x"}},
	"end another's key":       {kind: verdict.KindKey, predicate: map[string]any{"action": "revoke", "key": "x"}},
	"hold evidence":           {kind: verdict.KindHold, predicate: map[string]any{"id": "x"}},
	"decide":                  {kind: verdict.KindDecision, predicate: map[string]any{"id": "x"}},
	"vouch for others":        {kind: verdict.KindIngestion, predicate: map[string]any{}},
	"say that it was pruned":  {kind: verdict.KindTombstone, predicate: map[string]any{}},
	"state what others admit": {kind: verdict.KindAdmission, predicate: map[string]any{}},
	"change roles by a file":  {kind: verdict.KindRoleChange, predicate: given("mallory", identity.Admin)},
	"give a role":             {method: "POST", path: "/roles", body: `{"subject":"person:jane","role":"viewer","scope":{"services":["shop"],"teams":[],"environments":[]},"reason":"r"}`},
	"take a role":             {method: "DELETE", path: "/roles?subject=person:jane&role=viewer&reason=r"},
	"appoint a machine":       {method: "POST", path: "/tokens", body: `{"label":"m","days":1,"machine":true,"grants":[{"role":"viewer","scope":{"services":["shop"],"teams":[],"environments":[]}}]}`},
	"end another's session":   {method: "DELETE", path: "/sessions/OTHER"},
	"list others' sessions":   {method: "GET", path: "/sessions?all=true"},
	"erase an actor":          {method: "DELETE", path: "/actors/ACTOR"},
	"look behind an actor":    {method: "GET", path: "/actors/ACTOR"},
}

// ofAll are the acts by which everybody is judged. Nobody does them for a service of his.
var ofAll = []string{"release a map", "release a policy", "change a mode", "enroll a key", "end another's key", "change roles by a file"}

func given(subject string, r identity.Role) identity.RoleChange {
	return identity.RoleChange{ID: "r1", Subject: subject, Role: r, Scope: identity.Anywhere(), Given: true}
}

// Every write × every object that is somebody else's × every role, as HTTP answers it. What
// this table lets through by mistake, anybody with a role can do.
func TestWhoMayWriteWhatAboutWhom(t *testing.T) {
	d := newDoor(t)
	other := d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
	own := identity.Scope{Services: []string{"shop"}, Teams: []string{"web"}, Environments: []string{"prod"}}
	objects := map[string]identity.Object{
		"its own":                            {Service: "shop", Team: "web", Environment: "prod"},
		"another environment":                {Service: "shop", Team: "web", Environment: "dev"},
		"another service":                    {Service: "bank", Team: "money", Environment: "prod"},
		"a service that it calls its team's": {Service: "bank", Team: "web", Environment: "prod"},
		"the organisation":                   {},
		"a name that is all":                 {Service: "*", Team: "*", Environment: "prod"},
	}
	if len(acts) != len(mayWrite) {
		t.Fatalf("%d acts and %d rows", len(acts), len(mayWrite))
	}
	n := 0
	for _, wide := range []bool{true, false} {
		for _, role := range identity.Roles {
			scope := own
			if wide {
				scope = identity.Anywhere()
			}
			secret := d.with(role, scope)
			for act, roles := range mayWrite {
				for object, o := range objects {
					if acts[act].kind == "" && object != "the organisation" {
						continue
					}
					n++
					want := slices.Contains(roles, role) && (wide || object == "its own" && !slices.Contains(ofAll, act))
					if got, text := d.let(t, act, o, secret, other); got != want {
						t.Errorf("%s (everywhere: %v) may %s of %s: %v, want %v: %s", role, wide, act, object, got, want, text)
					}
				}
			}
		}
	}
	for act := range acts {
		if let, text := d.let(t, act, objects["its own"], "", other); let {
			t.Errorf("nobody may %s: %s", act, text)
		}
	}
	t.Logf("%d cells", n)
}

// let tries an act, and reports whether the caller's rights let it through; whether it made
// sense is another question.
func (d *door) let(t *testing.T, act string, o identity.Object, secret string, other Session) (bool, string) {
	x := acts[act]
	header := []string{}
	if secret != "" {
		header = d.as(secret)
	}
	if x.kind == "" {
		fresh := other
		if strings.Contains(x.path, "OTHER") || strings.Contains(x.path, "ACTOR") { // one that is still there
			fresh = d.exchange(token.Exchange{Token: d.issuer.token(github(nil))})
		}
		path := strings.NewReplacer("OTHER", fresh.Caller.Session, "ACTOR", fresh.Caller.Actor).Replace(x.path)
		r := d.ask(x.method, Prefix+path, x.body, header...)
		foreign := r.status == 404 && strings.Contains(r.body, "you have no session")
		return r.status != 401 && r.status != 403 && !foreign, fmt.Sprint(r.status, " ", r.body)
	}
	b := d.signed(x.kind, x.predicate, d.key, verdict.Context{Service: o.Service, Team: o.Team, Environment: o.Environment})
	r := d.ask("POST", Prefix+"/evidence", string(b.JSON()), append(header, "Content-Type", wire.BundleType)...)
	return r.status != 401 && r.status != 403, fmt.Sprint(r.status, " ", r.body)
}

// What a statement takes effect on is what it says itself: whoever writes his own service
// beside it accepts and approves no risk of another one.
func TestWhatAStatementIsAboutIsWhereItTakesEffect(t *testing.T) {
	d := newDoor(t)
	own := identity.Scope{Services: []string{"shop"}, Environments: []string{"prod"}}
	for _, tt := range []struct {
		kind      verdict.Kind
		role      identity.Role
		predicate map[string]any
	}{
		{verdict.KindException, identity.Security, map[string]any{"id": "x", "step": "approve", "environments": []string{"prod"}}},
		{verdict.KindException, identity.Developer, map[string]any{"id": "x", "step": "request", "environments": []string{"prod"}}},
		{verdict.KindApproval, identity.Approver, map[string]any{"id": "x", "environment": "prod"}},
		{verdict.KindBreakGlass, identity.Approver, map[string]any{"id": "x", "environment": "prod"}},
		{verdict.KindDeployment, identity.Developer, map[string]any{"environment": "prod"}},
	} {
		secret := d.with(tt.role, own)
		for service, want := range map[string]bool{"shop": true, "bank": false} {
			tt.predicate["service"] = service
			b := d.signed(tt.kind, tt.predicate, d.key, verdict.Context{Service: "shop", Environment: "prod"})
			if r := d.ask("POST", Prefix+"/evidence", string(b.JSON()), append(d.as(secret), "Content-Type", wire.BundleType)...); (r.status != 403) != want {
				t.Errorf("%s about %s by who may for shop: %d %s", tt.kind, service, r.status, r.body)
			}
		}
	}
	secret := d.with(identity.Security, own)
	b := d.signed(verdict.KindException, map[string]any{"id": "x", "step": "approve", "service": "shop", "environments": []string{"prod", "dev"}}, d.key, verdict.Context{Service: "shop"})
	if r := d.ask("POST", Prefix+"/evidence", string(b.JSON()), append(d.as(secret), "Content-Type", wire.BundleType)...); r.status != 403 {
		t.Errorf("an environment outside of the scope among others: %d %s", r.status, r.body)
	}
}

// A role is what the server recorded, in the name of who gave it. Whoever else signs one, and
// whatever came from another log, gives nothing.
func TestARoleIsEvidenceOfTheServerAlone(t *testing.T) {
	d := newDoor(t)
	admin := d.admin()
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	me := func() wire.Me {
		var who wire.Me
		r := d.ask("GET", Prefix+"/me", "", d.as(secret)...)
		d.must(json.Unmarshal([]byte(r.body), &who))
		return who
	}
	if who := me(); len(who.Grants) != 0 {
		t.Fatalf("%+v", who)
	}
	stranger, err := evidence.CreateKey(t.TempDir() + "/stranger.pem")
	d.must(err)
	d.enroll("mallory", stranger)
	d.record(verdict.KindRoleChange, given(me().Actor, identity.Admin), stranger)
	_, err = d.ledger.IngestAll(t.Context(), d.key, []ledger.Arrival{{
		Bundle: d.signed(verdict.KindRoleChange, given(me().Actor, identity.Admin), stranger, verdict.Context{}), Producer: evidence.Producer{Key: stranger.KeyID()}, Context: verdict.Context{At: d.clock()},
	}})
	d.must(err)
	d.later(time.Second)
	if who := me(); len(who.Grants) != 0 {
		t.Fatalf("given by somebody else: %+v", who)
	}
	body := func(subject string, r identity.Role) string {
		b, _ := json.Marshal(map[string]any{"subject": subject, "role": r, "scope": map[string]any{"services": []string{"shop"}, "teams": []string{}, "environments": []string{"*"}}, "reason": "on the team"})
		return string(b)
	}
	var self wire.Me
	d.must(json.Unmarshal([]byte(d.ask("GET", Prefix+"/me", "", d.as(admin)...).body), &self))
	if r := d.ask("POST", Prefix+"/roles", body(self.Actor, identity.Security), d.as(admin)...); r.status != 403 || !strings.Contains(r.body, "to himself") {
		t.Errorf("an admin gives himself a role: %d %s", r.status, r.body)
	}
	if r := d.ask("POST", Prefix+"/roles", body("person:jane", identity.Developer), d.as(admin)...); r.status != 200 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	if who := me(); len(who.Grants) != 1 || who.Grants[0].Role != identity.Developer || who.May(identity.Stating, identity.Object{Service: "shop"}) != nil || who.May(identity.Stating, identity.Object{Service: "bank"}) == nil {
		t.Errorf("%+v", who)
	}
	for _, nobody := range []string{"person:jnae", "key:" + strings.Repeat("A", 43) + "=", "jane", me().Actor + "0"} {
		if r := d.ask("POST", Prefix+"/roles", body(nobody, identity.Developer), d.as(admin)...); r.status != 422 {
			t.Errorf("a role for %s, who is not there: %d %s", nobody, r.status, r.body)
		}
	}
	if r := d.ask("POST", Prefix+"/roles", body("person:jane", identity.Security), d.as(admin)...); r.status != 409 || !strings.Contains(r.body, "developer, security together") {
		t.Errorf("both sides: %d %s", r.status, r.body)
	}
	found, err := d.ledger.Find(t.Context(), ledger.Query{Kind: verdict.KindRoleChange, At: ledger.Now, Limit: 1})
	if err != nil || len(found) != 1 || found[0].Signer != d.key.KeyID() || found[0].Context.Actor == "" || found[0].Context.Actor == me().Actor || found[0].Context.Retention != "log" {
		t.Errorf("%+v, %v", found, err)
	}
	if r := d.ask("DELETE", Prefix+"/roles?"+url.Values{"subject": {"person:jane"}, "role": {"developer"}, "reason": {"left"}}.Encode(), "", d.as(admin)...); r.status != 200 || len(me().Grants) != 0 {
		t.Errorf("taken: %d %s, %+v", r.status, r.body, me().Grants)
	}
	if r := d.ask("DELETE", Prefix+"/roles?subject=person:jane&role=developer&reason=x", "", d.as(admin)...); r.status != 404 {
		t.Errorf("taken twice: %d %s", r.status, r.body)
	}
	if r := d.ask("POST", Prefix+"/roles", body(me().Actor, identity.Viewer), d.as(admin)...); r.status != 200 || len(me().Grants) != 1 {
		t.Errorf("by the id of who signed in: %d %s", r.status, r.body)
	}
	report, err := d.ledger.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
	if err != nil || !report.Holds() {
		t.Errorf("%+v, %v", report, err)
	}
}

// What another replica recorded counts here within a moment, for better and for worse.
func TestARoleThatAnotherReplicaChangedCountsWithinAMoment(t *testing.T) {
	d := newDoor(t)
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	admins := func() int {
		return strings.Count(d.ask("GET", Prefix+"/me", "", d.as(secret)...).body, `"admin"`)
	}
	before := admins()
	d.record(verdict.KindRoleChange, given("person:jane", identity.Admin), d.key)
	d.later(knownFor + time.Millisecond)
	after := admins()
	d.record(verdict.KindRoleChange, identity.RoleChange{ID: "r2", Subject: "person:jane", Role: identity.Admin}, d.key)
	d.later(knownFor + time.Millisecond)
	if now := admins(); before != 0 || after != 1 || now != 0 {
		t.Errorf("%d, %d, %d", before, after, now)
	}
}

// Whether a change counts that another key signed is the map's to say. While that cannot be
// told, a role that was taken is not kept, and once another map says otherwise it is over.
func TestWhoseChangesCountIsAskedAgain(t *testing.T) {
	d := newDoor(t)
	other, err := evidence.CreateKey(t.TempDir() + "/other.pem")
	d.must(err)
	d.enroll("replica", other)
	d.trusts = func(key string) (bool, error) { return key == other.KeyID(), nil }
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	me := func() string {
		d.later(knownFor + time.Millisecond)
		return d.ask("GET", Prefix+"/me", "", d.as(secret)...).body
	}
	d.record(verdict.KindRoleChange, given("person:jane", identity.Admin), other)
	if got := me(); !strings.Contains(got, `"admin"`) {
		t.Fatalf("given: %s", got)
	}
	d.record(verdict.KindRoleChange, identity.RoleChange{ID: "r2", Subject: "person:jane", Role: identity.Admin}, other)
	d.trusts = func(string) (bool, error) {
		return false, &verdict.Error{Code: verdict.CodeUnavailable, What: "the database is away", Remedy: "wait"}
	}
	if got := me(); strings.Contains(got, `"admin"`) {
		t.Errorf("while nobody knows: %s", got)
	}
	d.trusts = func(key string) (bool, error) { return key == other.KeyID(), nil }
	if got := me(); strings.Contains(got, `"admin"`) || !strings.Contains(got, `"person":"jane"`) {
		t.Errorf("taken: %s", got)
	}
	d.record(verdict.KindRoleChange, given("person:jane", identity.Auditor), other)
	if got := me(); !strings.Contains(got, `"auditor"`) {
		t.Errorf("given: %s", got)
	}
	d.trusts = func(string) (bool, error) { return false, nil }
	d.record(verdict.KindMapRelease, map[string]any{"id": "another"}, d.key)
	if got := me(); strings.Contains(got, `"auditor"`) {
		t.Errorf("by a key that the map in force does not trust: %s", got)
	}
}

// Somebody who is no more in the map has nothing of what it gave him, in the session that he has.
func TestASessionIsOfWhoTheMapInForceSays(t *testing.T) {
	d := newDoor(t)
	jane, _ := d.browser("/")
	secret := jane.cookies["__Host-verdict"].Value
	d.record(verdict.KindRoleChange, given("person:jane", identity.Admin), d.key)
	d.later(knownFor + time.Millisecond)
	if got := d.ask("GET", Prefix+"/me", "", d.as(secret)...).body; !strings.Contains(got, `"admin"`) {
		t.Fatalf("%s", got)
	}
	d.people = nil
	d.later(knownFor + time.Millisecond)
	if got := d.ask("GET", Prefix+"/me", "", d.as(secret)...).body; strings.Contains(got, `"admin"`) || strings.Contains(got, `"jane"`) {
		t.Errorf("%s", got)
	}
}

// A live stream ends with the session that it was opened with.
func TestAStreamEndsWithItsSession(t *testing.T) {
	d := newDoor(t)
	d.later(time.Since(d.clock())) // deadlines of connections go by the machine's clock
	d.server.LedgerRoutes(LedgerOptions{})
	secret := d.with(identity.Viewer, identity.Anywhere())
	r, err := http.NewRequestWithContext(t.Context(), "GET", d.http.URL+Prefix+"/events", nil)
	d.must(err)
	r.Header.Set("Authorization", "Bearer "+secret)
	res, err := http.DefaultClient.Do(r)
	d.must(err)
	defer res.Body.Close()
	d.record(verdict.KindTestResult, map[string]any{}, d.key)
	buf := make([]byte, 4096)
	for heard := ""; !strings.Contains(heard, "test-result"); {
		n, err := res.Body.Read(buf)
		heard += string(buf[:n])
		if err != nil {
			t.Fatalf("%v after %s", err, heard)
		}
	}
	if r := d.ask("DELETE", Prefix+"/session", "", d.as(secret)...); r.status != 204 {
		t.Fatalf("%d %s", r.status, r.body)
	}
	d.record(verdict.KindTestResult, map[string]any{"n": 2}, d.key)
	if rest, err := io.ReadAll(res.Body); err != nil || strings.Contains(string(rest), "test-result") {
		t.Errorf("%v: %s", err, rest)
	}
}
