package identity_test

import (
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
)

func given(subject string, r identity.Role, services ...string) identity.RoleChange {
	return identity.RoleChange{Subject: subject, Role: r, Scope: identity.Scope{Services: services}, Given: true}
}

func TestRolesAreWhatTheirChangesLeaveInOrder(t *testing.T) {
	var b identity.Book
	apply := func(c identity.RoleChange) error { return b.Apply(c) }
	for _, c := range []identity.RoleChange{given("a1", identity.Developer, "shop"), given("a1", identity.Developer, "shop"), given("a1", identity.Developer, "bank"), given("person:jane", identity.Approver, "shop")} {
		if err := apply(c); err != nil {
			t.Fatal(err)
		}
	}
	jane := identity.Caller{Actor: "a1", Person: "jane"}
	if jane.Grants = b.Of(jane.Subjects()...); len(jane.Grants) != 3 || jane.May(identity.Approving, identity.Object{Service: "shop"}) != nil || jane.May(identity.Stating, identity.Object{Service: "bank"}) != nil {
		t.Errorf("%+v", jane.Grants)
	}
	before := b.Clone()
	if err := apply(identity.RoleChange{Subject: "a1", Role: identity.Developer}); err != nil {
		t.Fatal(err)
	}
	if got := b.Subjects(); len(got) != 1 || got[0] != "person:jane" || len(before.Of("a1")) != 2 {
		t.Errorf("%v, and the copy %+v", got, before.Of("a1"))
	}
}

// Of two admins who give two roles at once the ledger knows an order, and the second one
// gives nothing: or else one person writes evidence and accepts the risk that it shows.
func TestAChangeThatWouldGiveOnePersonBothSidesCountsForNothing(t *testing.T) {
	var b identity.Book
	if err := b.Apply(given("a1", identity.Security, "*")); err != nil {
		t.Fatal(err)
	}
	if err := b.Apply(given("a1", identity.Developer, "shop")); verdict.AsError(err).Code != verdict.CodeConflict {
		t.Errorf("%v", err)
	}
	if got := b.Of("a1"); len(got) != 1 || got[0].Role != identity.Security {
		t.Errorf("%+v", got)
	}
}

func TestARoleIsGivenToSomebodySomewhere(t *testing.T) {
	for name, c := range map[string]identity.RoleChange{
		"nobody":            given("", identity.Viewer, "shop"),
		"a person unnamed":  given("person:", identity.Viewer, "shop"),
		"a key unnamed":     given("key:", identity.Viewer, "shop"),
		"another form":      given("email:jane@example.com", identity.Viewer, "shop"),
		"two lines":         given("a1\na2", identity.Viewer, "shop"),
		"nowhere":           given("a1", identity.Viewer),
		"a role of no name": given("a1", "owner", "shop"),
		"a long name":       given(strings.Repeat("a", 300), identity.Viewer, "shop"),
	} {
		if e := verdict.AsError(c.Check()); e == nil || e.Code != verdict.CodeInvalid || e.Remedy == "" {
			t.Errorf("%s: %v", name, e)
		}
		var b identity.Book
		if b.Apply(c) == nil || len(b.Subjects()) > 0 {
			t.Errorf("%s has a role", name)
		}
	}
}

// Who signs in with a pipeline's token and proves a key does not become who that key is.
func TestAKeyThatASessionIsBoundToBringsNoRolesOfItsOwn(t *testing.T) {
	for _, c := range []identity.Caller{{Actor: "a", Key: "k", Workload: "w"}, {Actor: "a", Key: "k", Account: "entra:1"}} {
		if got := c.Subjects(); len(got) != 1 || got[0] != "a" {
			t.Errorf("%+v is %v", c, got)
		}
	}
	if got := (identity.Caller{Actor: "a", Key: "k"}).Subjects(); len(got) != 2 || got[1] != "key:k" {
		t.Errorf("by the key alone: %v", got)
	}
}

func TestAGrantLiesWithinOneThatGivesAsMuch(t *testing.T) {
	all := []identity.Grant{{Role: identity.Developer, Scope: identity.Scope{Services: []string{"shop", "bank"}, Environments: []string{"*"}}}}
	for name, c := range map[string]struct {
		g  identity.Grant
		in bool
	}{
		"a part":              {identity.Grant{Role: identity.Developer, Scope: identity.Scope{Services: []string{"shop"}, Environments: []string{"prod"}}}, true},
		"all of it":           {all[0], true},
		"another service":     {identity.Grant{Role: identity.Developer, Scope: identity.Scope{Services: []string{"shop", "till"}}}, false},
		"every service":       {identity.Grant{Role: identity.Developer, Scope: identity.Scope{Services: []string{"*"}}}, false},
		"a team beside":       {identity.Grant{Role: identity.Developer, Scope: identity.Scope{Services: []string{"shop"}, Teams: []string{"web"}}}, false},
		"reading alone":       {identity.Grant{Role: identity.Viewer, Scope: identity.Scope{Services: []string{"shop"}}}, true},
		"reading elsewhere":   {identity.Grant{Role: identity.Viewer, Scope: identity.Scope{Services: []string{"till"}}}, false},
		"another role for it": {identity.Grant{Role: identity.Approver, Scope: identity.Scope{Services: []string{"shop"}}}, false},
	} {
		if c.g.Within(all) != c.in {
			t.Errorf("%s: %v", name, !c.in)
		}
	}
}

// Somebody whose roles belong to nobody at once would else take one side into a token, and the
// other into another one.
func TestATokenTakesNoSideApart(t *testing.T) {
	developer, security, viewer := identity.Grant{Role: identity.Developer, Scope: identity.Anywhere()}, identity.Grant{Role: identity.Security, Scope: identity.Anywhere()}, identity.Grant{Role: identity.Viewer, Scope: identity.Anywhere()}
	if got := identity.Narrowed([]identity.Grant{security, viewer}, []identity.Grant{developer, security, viewer}); len(got) != 1 || got[0].Role != identity.Viewer {
		t.Errorf("%+v", got)
	}
	if got := identity.Narrowed([]identity.Grant{security}, []identity.Grant{security, viewer}); len(got) != 1 {
		t.Errorf("of who has one side: %+v", got)
	}
	if got := identity.Narrowed([]identity.Grant{security}, []identity.Grant{viewer}); len(got) != 0 {
		t.Errorf("of who has it no more: %+v", got)
	}
}
