package code

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
)

// People joins the accounts of git and forges to the people of a decision map.
type People struct {
	*identity.Directory
	// Forge is the system that a bare @login of an ownership file is an account of; empty
	// when the forge is not known, and then any one will do that makes it one person.
	Forge identity.System
	// strangers are the accounts behind the words that stand for them; shared by copies.
	strangers map[string]string
}

// Strangers lists what each word for an account that the directory does not know stands
// for, so that a person can be told; it is for the screen, and never for evidence.
func (p People) Strangers() map[string]string { return maps.Clone(p.strangers) }

// NewPeople reads the people of a map.
func NewPeople(m *decisionmap.Map, forge string) (People, error) {
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
	d, err := identity.NewDirectory(all)
	return People{d, identity.System(forge), map[string]string{}}, err
}

// party says whose account it is. An account that the directory does not know gets a
// word that tells it from others and names nobody: evidence stays, and names are erased.
func (p People) party(system identity.System, account string) verdict.Party {
	account = strings.TrimSpace(account)
	if account == "" {
		return verdict.Party{ID: "unknown"}
	}
	if person, ok := p.Resolve(identity.Account{System: system, Name: account}); ok {
		return verdict.Party{ID: person.ID, Known: true}
	}
	sum := sha256.Sum256([]byte(string(system) + "\x00" + strings.ToLower(account)))
	word := "unknown-" + string(system) + "-" + hex.EncodeToString(sum[:4])
	p.strangers[word] = account
	return verdict.Party{ID: word}
}

// owner is one owner of an ownership file, with who that is.
type owner struct {
	word string // what to say of it: a person's id, or as written
	same string // equal for two ways to write one team or person
	// persons are those that the directory knows behind it, sorted.
	persons []string
}

// owner reads what an ownership file calls an owner: @login, @organisation/team, an
// address, a catalog's reference, or a team or person of the map. A team of a forge is
// the map's team of that name; who is in it only the map says.
func (p People) owner(written string) owner {
	kind, name := "", written
	switch {
	case strings.HasPrefix(written, "@@"): // a role of GitLab: nobody in particular
		return owner{word: written, same: "role:" + strings.ToLower(written)}
	case strings.HasPrefix(written, "@"):
		name = written[1:]
		if !strings.Contains(name, "/") {
			if o, ok := p.login(name); ok {
				return o
			}
		}
		kind = "team"
	case strings.Contains(written, "@"):
		if person, ok := p.Resolve(identity.Account{System: identity.Git, Name: written}); ok {
			return asPerson(person.ID)
		}
		return owner{word: written, same: "address:" + strings.ToLower(written)}
	case strings.HasPrefix(written, "user:"):
		name = name[strings.LastIndexByte(name, '/')+1:]
		if person, ok := p.Person(name); ok {
			return asPerson(person.ID)
		}
		kind = "user"
	case strings.HasPrefix(written, "group:"):
		kind = "team"
	}
	name = name[strings.LastIndexByte(name, '/')+1:]
	if kind == "" {
		if person, ok := p.Person(name); ok {
			return asPerson(person.ID)
		}
		kind = "team"
	}
	persons := []string{}
	if kind == "team" {
		persons = append(persons, p.Members(name)...)
		slices.Sort(persons)
	}
	return owner{word: written, same: kind + ":" + strings.ToLower(name), persons: persons}
}

func asPerson(id string) owner { return owner{word: id, same: "person:" + id, persons: []string{id}} }

// login is the person whose login it is, in the forge or, where that is not known, in
// every one that knows it.
func (p People) login(name string) (owner, bool) {
	systems := []identity.System{p.Forge}
	if p.Forge == "" {
		systems = []identity.System{identity.GitHub, identity.GitLab, identity.Azure}
	}
	found := ""
	for _, s := range systems {
		person, ok := p.Resolve(identity.Account{System: s, Name: name})
		if ok && found != "" && found != person.ID {
			return owner{}, false // two people: to choose one would be to guess
		}
		if ok {
			found = person.ID
		}
	}
	return asPerson(found), found != ""
}

// agree reports whether two sets of owners name the same: an owner in common, or all the
// persons of one among those of the other.
func agree(a, b []owner) bool {
	for _, x := range a {
		if slices.ContainsFunc(b, func(y owner) bool { return x.same == y.same }) {
			return true
		}
	}
	x, y := personsOf(a), personsOf(b)
	return within(x, y) || within(y, x)
}

// within reports whether a is a part of b, and somebody at all.
func within(a, b []string) bool {
	for _, p := range a {
		if !slices.Contains(b, p) {
			return false
		}
	}
	return len(a) > 0
}

func personsOf(owners []owner) []string {
	out := []string{}
	for _, o := range owners {
		out = append(out, o.persons...)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
