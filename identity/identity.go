// Package identity says who: people and the accounts that are theirs, the keys that
// they have enrolled and in which part of the ledger each key counts, and the ring of
// key files on a machine.
//
// Not to know who somebody is is an answer of its own here, and never the answer "somebody
// else": separation of duties asks Different, which an unknown account never passes.
package identity

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// System is a system in which people have accounts.
type System string

// The systems. In git an account is an address, or the identity in a certificate that
// signs commits; in Key the id of a signing key, in Entra an object id.
const (
	Git        System = "git"
	GitHub     System = "github"
	GitLab     System = "gitlab"
	Azure      System = "azure"
	Entra      System = "entra"
	Kubernetes System = "kubernetes"
	Key        System = "key"
)

// folded are the systems that take names in any case for the same account. Kubernetes
// users and key ids are compared exactly.
var folded = map[System]bool{Git: true, GitHub: true, GitLab: true, Azure: true, Entra: true}

// Account is one account of a person.
type Account struct {
	System System `json:"system"`
	Name   string `json:"name"`
}

// String is the form in which people write an account: "github:octocat".
func (a Account) String() string { return string(a.System) + ":" + a.Name }

// canonical is the form in which two spellings of one account are equal. Letters beyond ASCII are
// compared exactly: the Kelvin sign is a k to Unicode, and another account to who gives them out.
func (a Account) canonical() Account {
	if a.Name = strings.TrimSpace(a.Name); folded[a.System] {
		a.Name = strings.Map(func(r rune) rune {
			if 'A' <= r && r <= 'Z' {
				r += 'a' - 'A'
			}
			return r
		}, a.Name)
	}
	return a
}

// Person is somebody, with every account that is theirs. ID is opaque and stays, as it
// stands in evidence; Name may be erased.
type Person struct {
	ID       string    `json:"id"`
	Name     string    `json:"name"`
	Accounts []Account `json:"accounts"`
	Teams    []string  `json:"teams"`
}

// Directory joins accounts to people. It is immutable; the zero value knows nobody.
type Directory struct {
	people  []Person
	owner   map[Account]int
	byID    map[string]int
	members map[string][]string
}

// NewDirectory makes a directory. One account that two people claim, or two people
// with one id, is an *verdict.Error with CodeInvalid: to choose one of them would be to
// guess who somebody is.
func NewDirectory(people []Person) (*Directory, error) {
	d := &Directory{people: slices.Clone(people), owner: map[Account]int{}, byID: map[string]int{}, members: map[string][]string{}}
	for i, p := range d.people {
		if p.ID == "" {
			return nil, invalid(fmt.Sprintf("person %d has no id", i+1), "give each entry under people: an id of its own")
		}
		if _, taken := d.byID[p.ID]; taken {
			return nil, invalid(fmt.Sprintf("two people have the id %q", p.ID), "give each entry under people: an id of its own, or merge the two")
		}
		d.byID[p.ID] = i
		for _, a := range p.Accounts {
			c := a.canonical()
			if c.System == "" || c.Name == "" {
				return nil, invalid(fmt.Sprintf("%s has an account without system or name", p.ID), "write accounts as system and name, such as github and octocat")
			}
			if j, taken := d.owner[c]; taken && j != i {
				return nil, invalid(fmt.Sprintf("%s and %s both claim the account %s", d.people[j].ID, p.ID, a),
					"leave it with the one whose it is: shared accounts belong to nobody")
			}
			d.owner[c] = i
		}
		for _, team := range p.Teams {
			d.members[team] = append(d.members[team], p.ID)
		}
	}
	return d, nil
}

func invalid(what, remedy string) error {
	return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: remedy}
}

// Resolve gives the person whose account it is; false when nobody knows.
func (d *Directory) Resolve(a Account) (Person, bool) {
	if i, ok := d.owner[a.canonical()]; ok {
		return d.people[i], true
	}
	return Person{}, false
}

// Person gives the person with the id.
func (d *Directory) Person(id string) (Person, bool) {
	if i, ok := d.byID[id]; ok {
		return d.people[i], true
	}
	return Person{}, false
}

// People lists everybody, in the order in which they were given.
func (d *Directory) People() []Person { return slices.Clone(d.people) }

// Members lists the ids of the people in a team.
func (d *Directory) Members(team string) []string { return slices.Clone(d.members[team]) }

// Same reports whether two accounts are one person's. Known is false when that cannot
// be told; same is then false and means nothing. An account is always the same person
// as itself, whoever that is.
func (d *Directory) Same(a, b Account) (same, known bool) {
	a, b = a.canonical(), b.canonical()
	if a == b {
		return a.Name != "", a.Name != ""
	}
	i, ok := d.owner[a]
	j, also := d.owner[b]
	if !ok || !also {
		return false, false
	}
	return i == j, true
}

// Different reports whether two accounts are certainly two people's: what separation of
// duties asks. An account that nobody knows is not different from anybody.
func (d *Directory) Different(a, b Account) bool {
	same, known := d.Same(a, b)
	return known && !same
}
