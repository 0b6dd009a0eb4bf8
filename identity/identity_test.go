package identity_test

import (
	"strings"
	"testing"

	"verdict"
	"verdict/identity"
)

// actionable fails the test unless err is one that a person can act on.
func actionable(t *testing.T, err error, code verdict.Code) {
	t.Helper()
	if err == nil {
		t.Fatal("accepted")
	}
	if e := verdict.AsError(err); e.Code != code || e.Remedy == "" || e.What == "" {
		t.Errorf("%v: code %s, want %s; remedy %q", err, e.Code, code, e.Remedy)
	}
}

func people(t *testing.T) *identity.Directory {
	t.Helper()
	d, err := identity.NewDirectory([]identity.Person{
		{ID: "p1", Name: "Ada", Teams: []string{"shop", "security"}, Accounts: []identity.Account{
			{identity.Git, "Ada@Example.com"}, {identity.GitHub, "ada-l"}, {identity.Kubernetes, "ada"}, {identity.Key, "AbC="},
		}},
		{ID: "p2", Name: "Grace", Teams: []string{"shop"}, Accounts: []identity.Account{
			{identity.Git, "grace@example.com"}, {identity.Kubernetes, "Ada"}, {identity.Entra, "5B1E0000-0000-0000-0000-00000000000F"},
		}},
		{ID: "p3"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestSeparationOfDutiesFailsClosed: an author who approves under an account that
// nobody has entered must not pass for a second person.
func TestSeparationOfDutiesFailsClosed(t *testing.T) {
	d := people(t)
	git := func(s string) identity.Account { return identity.Account{System: identity.Git, Name: s} }
	hub := func(s string) identity.Account { return identity.Account{System: identity.GitHub, Name: s} }
	for _, c := range []struct {
		name             string
		a, b             identity.Account
		same, known, two bool
	}{
		{"two accounts of one person are the same", git("ada@example.com"), hub("ada-l"), true, true, false},
		{"addresses and logins are compared in any case", git(" ADA@example.COM "), hub("Ada-L"), true, true, false},
		{"accounts of two people differ", git("ada@example.com"), git("grace@example.com"), false, true, true},
		{"an unknown account is not known to differ", git("ada@example.com"), hub("ada-at-home"), false, false, false},
		{"two unknown accounts are not known to differ", git("x@example.com"), git("y@example.com"), false, false, false},
		{"an unknown account is itself", hub("stranger"), hub("Stranger"), true, true, false},
		{"one name in two systems is not one account", git("stranger"), hub("stranger"), false, false, false},
		{"what some letter in another alphabet folds to is not that letter", hub("\u212aen"), hub("ken"), false, false, false},
		{"cluster users are compared exactly", identity.Account{System: identity.Kubernetes, Name: "ada"}, identity.Account{System: identity.Kubernetes, Name: "Ada"}, false, true, true},
		{"key ids are compared exactly", identity.Account{System: identity.Key, Name: "AbC="}, identity.Account{System: identity.Key, Name: "abc="}, false, false, false},
		{"nobody is not the same as nobody", git(""), git(""), false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // in either order
				same, known := d.Same(c.a, c.b)
				if same != c.same || known != c.known {
					t.Errorf("Same(%v, %v) = %v, %v; want %v, %v", c.a, c.b, same, known, c.same, c.known)
				}
				if d.Different(c.a, c.b) != c.two {
					t.Errorf("Different(%v, %v) = %v", c.a, c.b, !c.two)
				}
				c.a, c.b = c.b, c.a
			}
		})
	}
}

func TestADirectoryResolvesPeopleAndTeams(t *testing.T) {
	d := people(t)
	p, ok := d.Resolve(identity.Account{System: identity.Entra, Name: "5b1e0000-0000-0000-0000-00000000000f"})
	if !ok || p.ID != "p2" {
		t.Errorf("resolved to %v, %v", p, ok)
	}
	if _, ok := d.Resolve(identity.Account{System: identity.GitHub, Name: "nobody"}); ok {
		t.Error("a stranger was resolved")
	}
	if _, ok := d.Person("p3"); !ok {
		t.Error("a person without accounts is lost")
	}
	if got := strings.Join(d.Members("shop"), " "); got != "p1 p2" {
		t.Errorf("members of shop: %s", got)
	}
	if len(d.People()) != 3 || len(d.Members("nobody")) != 0 {
		t.Errorf("people %v, members %v", d.People(), d.Members("nobody"))
	}
	var empty identity.Directory
	if empty.Different(identity.Account{System: identity.Git, Name: "a"}, identity.Account{System: identity.Git, Name: "b"}) {
		t.Error("the empty directory knows two people")
	}
}

func TestADirectoryThatWouldGuessIsRefused(t *testing.T) {
	account := []identity.Account{{System: identity.Git, Name: "a@example.com"}}
	shouted := []identity.Account{{System: identity.Git, Name: "A@EXAMPLE.com"}}
	for name, people := range map[string][]identity.Person{
		"one account claimed by two":               {{ID: "p1", Accounts: account}, {ID: "p2", Accounts: account}},
		"one account claimed in two spellings":     {{ID: "p1", Accounts: account}, {ID: "p2", Accounts: shouted}},
		"two people with one id":                   {{ID: "p1"}, {ID: "p1"}},
		"a person without id":                      {{Name: "Ada"}},
		"an account without a name":                {{ID: "p1", Accounts: []identity.Account{{System: identity.Git}}}},
		"an account that does not name its system": {{ID: "p1", Accounts: []identity.Account{{Name: "ada"}}}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := identity.NewDirectory(people)
			actionable(t, err, verdict.CodeInvalid)
		})
	}
	if _, err := identity.NewDirectory([]identity.Person{{ID: "p1", Accounts: append(account, shouted...)}}); err != nil {
		t.Errorf("one person's account written twice: %v", err)
	}
}
