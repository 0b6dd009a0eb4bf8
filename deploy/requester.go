package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
)

// The kinds of a requester.
const (
	Person   = "person"
	Workload = "workload"
)

// Asking is what is known of who asks.
type Asking struct {
	// Named is what was typed: a person of the map, or SYSTEM:ACCOUNT. Empty: nothing was.
	Named string
	// Account is the account that a pipeline says it runs for; its System is empty where none
	// does.
	Account identity.Account
	// Key is the id of the key that signs, and KeyName under what it is enrolled.
	Key, KeyName string
	// Workload and Issuer name a machine by its token instead.
	Workload, Issuer string
	// Claimed is for whom such a machine says it asks, in the form of Named: its token does not
	// tell. Empty: it asks for itself.
	Claimed string
}

// Requester finds out who asks for a deployment: the one who is named, else the person of the
// key that signs, else the account for which the pipeline runs, else the machine whose key it
// is. An account that the map does not know stays unknown: it could be anybody's.
func Requester(m *decisionmap.Map, a Asking) (*verdict.Requester, error) {
	people, err := Directory(m)
	if err != nil {
		return nil, err
	}
	if a.Named != "" {
		return named(people, a.Named)
	}
	if p, ok := people.Resolve(identity.Account{System: identity.Key, Name: a.Key}); ok {
		return person(p), nil
	}
	if p, ok := people.Person(a.KeyName); ok {
		return person(p), nil
	}
	if a.Account.System != "" {
		return Asker(people, a.Account), nil
	}
	if a.Workload != "" {
		known := slices.ContainsFunc(m.Trust, func(t decisionmap.Trust) bool {
			return t.SignedBy(decisionmap.Signer{Workload: a.Workload, Issuer: a.Issuer})
		})
		if a.Claimed != "" {
			return claimed(people, a, known)
		}
		return &verdict.Requester{Person: a.Workload, Kind: Workload, Known: known, Teams: []string{}}, nil
	}
	trusted := func(t decisionmap.Trust) bool {
		return t.For == "" && t.Key != "" && (t.Key == a.Key || t.Key == a.KeyName)
	}
	if slices.ContainsFunc(m.Trust, trusted) && a.KeyName != "" {
		return &verdict.Requester{Person: a.KeyName, Kind: Workload, Known: true, Teams: []string{}}, nil
	}
	return &verdict.Requester{Person: stranger(identity.Account{System: identity.Key, Name: a.Key}), Kind: Workload, Teams: []string{}}, nil
}

// Directory is the people of a map, with their accounts.
func Directory(m *decisionmap.Map) (*identity.Directory, error) {
	var all []identity.Person
	for id, p := range m.People {
		one := identity.Person{ID: id, Name: p.Name, Teams: p.Teams}
		for system, names := range p.Accounts {
			for _, name := range names {
				one.Accounts = append(one.Accounts, identity.Account{System: identity.System(system), Name: name})
			}
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b identity.Person) int { return strings.Compare(a.ID, b.ID) })
	return identity.NewDirectory(all)
}

// named reads what was typed.
func named(people *identity.Directory, text string) (*verdict.Requester, error) {
	system, name, ok := strings.Cut(text, ":")
	if !ok {
		if p, known := people.Person(text); known {
			return person(p), nil
		}
		return &verdict.Requester{Person: stranger(identity.Account{System: "person", Name: text}), Kind: Person, Teams: []string{}}, nil
	}
	if !slices.Contains(decisionmap.AccountSystems, system) || strings.TrimSpace(name) == "" {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.80q names no account of a system that the map knows", text),
			Remedy: "write a person's id of people: in the map, or SYSTEM:ACCOUNT with one of " + strings.Join(decisionmap.AccountSystems, ", ") + ", such as github:jane",
		}
	}
	return Asker(people, identity.Account{System: identity.System(system), Name: name}), nil
}

// claimed is the person for whom a machine says that it asks. He is known where the machine is
// as well, and brings no teams: a machine that could name anybody would name who may most.
func claimed(people *identity.Directory, a Asking, known bool) (*verdict.Requester, error) {
	r, err := named(people, a.Claimed)
	if err == nil {
		r.Known, r.Teams, r.Claimed = r.Known && known, []string{}, a.Workload
	}
	return r, err
}

// Asker is the one whose account asks: a person of the map, or somebody whom nobody knows.
func Asker(people *identity.Directory, a identity.Account) *verdict.Requester {
	if p, ok := people.Resolve(a); ok {
		return person(p)
	}
	return &verdict.Requester{Person: stranger(a), Kind: Person, Teams: []string{}}
}

func person(p identity.Person) *verdict.Requester {
	return &verdict.Requester{Person: p.ID, Kind: Person, Known: true, Teams: append([]string{}, p.Teams...)}
}

// stranger is a word for an account that nobody knows. It tells the account from others and
// names nobody, because evidence stays and names are erased.
func stranger(a identity.Account) string {
	sum := sha256.Sum256([]byte(string(a.System) + "\x00" + strings.ToLower(strings.TrimSpace(a.Name))))
	return "unknown-" + string(a.System) + "-" + hex.EncodeToString(sum[:4])
}
