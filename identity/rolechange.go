package identity

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"verdict"
)

// RoleChange is the predicate of evidence of kind role-change: somebody is given a role, or
// it is taken from him. The server signs it in the name of who asked for it.
type RoleChange struct {
	ID      string    `json:"id"`      // of this change
	Subject string    `json:"subject"` // whose role: see Subjects
	Role    Role      `json:"role"`
	Scope   Scope     `json:"scope"` // where it holds; of no meaning when it is taken
	Given   bool      `json:"given"` // false: the role is taken from him in every scope
	By      string    `json:"by"`    // the actor who asked for it
	Reason  string    `json:"reason"`
	At      time.Time `json:"at"`
}

// The forms of a RoleChange's subject besides the id of an actor: somebody of the map's
// people whom no token has named yet, and a key that is enrolled.
const (
	SubjectPerson = "person:"
	SubjectKey    = "key:"
)

// Subjects are the subjects of role changes that mean the caller. Who started a workload is not
// who decides what it runs, and lends it no roles.
func (c Caller) Subjects() []string {
	out := []string{c.Actor}
	if c.Person != "" && c.Workload == "" {
		out = append(out, SubjectPerson+c.Person)
	}
	if c.Key != "" && c.Workload == "" && c.Account == "" { // signed in by the key alone
		out = append(out, SubjectKey+c.Key)
	}
	return out
}

// Check reports what keeps a change from being one.
func (c RoleChange) Check() error {
	refuse := func(what, remedy string) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: what, Remedy: remedy}
	}
	words := []string{}
	for _, r := range Roles {
		words = append(words, string(r))
	}
	name, person := strings.CutPrefix(c.Subject, SubjectPerson)
	key, keyed := strings.CutPrefix(c.Subject, SubjectKey)
	switch {
	case !slices.Contains(Roles, c.Role):
		return refuse(fmt.Sprintf("%.40q is no role", c.Role), "give one of "+strings.Join(words, ", "))
	case c.Subject == "" || len(c.Subject) > 200 || strings.ContainsFunc(c.Subject, func(r rune) bool { return r <= ' ' || r == 0x7f }),
		person && name == "", keyed && key == "", !person && !keyed && strings.ContainsRune(c.Subject, ':'):
		return refuse(fmt.Sprintf("%.60q is nobody who can have a role", c.Subject), "name person:ID of the map's people, key:ID of an enrolled key, or the id that verdict roles list --mine tells who signed in")
	case c.Given && len(c.Scope.Services)+len(c.Scope.Teams) == 0:
		return refuse("the role would hold nowhere", "name services or teams, * for all of them")
	case len(c.Scope.Services)+len(c.Scope.Teams)+len(c.Scope.Environments) > 1000 || len(c.Reason) > 1000:
		return refuse("the change is longer than a change of roles is", "name at most 1,000 services, teams and environments, or * for all of them")
	}
	return nil
}

// Book is who has which roles: what is left of the changes in the order of the ledger. The
// zero value is empty.
type Book struct{ of map[string][]Grant }

// Apply takes a change over. One that would give somebody roles that belong to nobody at
// once is an error and changes nothing: of two that were recorded at the same time, the
// first in the ledger counts.
func (b *Book) Apply(c RoleChange) error {
	if err := c.Check(); err != nil {
		return err
	}
	if b.of == nil {
		b.of = map[string][]Grant{}
	}
	has := b.of[c.Subject]
	if !c.Given {
		left := slices.DeleteFunc(slices.Clone(has), func(g Grant) bool { return g.Role == c.Role })
		if b.of[c.Subject] = left; len(left) == 0 {
			delete(b.of, c.Subject)
		}
		return nil
	}
	g := Grant{Role: c.Role, Scope: c.Scope}
	if slices.ContainsFunc(has, func(x Grant) bool { return x.same(g) }) {
		return nil
	}
	next := append(slices.Clone(has), g)
	if err := Together(next); err != nil {
		return err
	}
	b.of[c.Subject] = next
	return nil
}

// Of are the grants of the subjects together.
func (b *Book) Of(subjects ...string) []Grant {
	out := []Grant{}
	for _, s := range subjects {
		out = append(out, b.of[s]...)
	}
	return out
}

// Subjects lists who has a role, sorted.
func (b *Book) Subjects() []string { return slices.Sorted(maps.Keys(b.of)) }

// Clone is a copy that changes apart from the book.
func (b *Book) Clone() *Book { return &Book{maps.Clone(b.of)} }

func (g Grant) same(o Grant) bool {
	return g.Role == o.Role && slices.Equal(g.Scope.Services, o.Scope.Services) && slices.Equal(g.Scope.Teams, o.Scope.Teams) && slices.Equal(g.Scope.Environments, o.Scope.Environments)
}

// Within reports whether the grant gives nothing that one of the grants does not give: its
// role, or that of a viewer, who may what all may, in a scope each list of which lies in that
// of the other.
func (g Grant) Within(all []Grant) bool {
	in := func(list, of []string) bool {
		return slices.Contains(of, Everything) || !slices.ContainsFunc(list, func(w string) bool { return !slices.Contains(of, w) })
	}
	return slices.ContainsFunc(all, func(o Grant) bool {
		return (g.Role == o.Role || g.Role == Viewer) && in(g.Scope.Services, o.Scope.Services) && in(g.Scope.Teams, o.Scope.Teams) && in(g.Scope.Environments, o.Scope.Environments)
	})
}

// Narrowed are the grants of an API token that its owner has himself now. Where his roles
// belong to nobody at once, those that Caller.May refuses him are not for a token by itself
// either.
func Narrowed(to, has []Grant) []Grant {
	mixed := Together(has) != nil
	out := []Grant{}
	for _, g := range to {
		if g.Within(has) && !(mixed && slices.ContainsFunc(apart, func(v Verb) bool { return slices.Contains(allowed[g.Role], v) })) {
			out = append(out, g)
		}
	}
	return out
}
