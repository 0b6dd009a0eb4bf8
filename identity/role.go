package identity

import (
	"fmt"
	"slices"
	"strings"

	"verdict"
)

// Role is what somebody may do in a control plane, within a Scope.
type Role string

// The roles. Each allows Reading; none allows all.
const (
	Viewer    Role = "viewer"
	Developer Role = "developer" // states evidence, asks points: people and pipelines alike
	Approver  Role = "approver"
	Security  Role = "security" // releases policy and maps, accepts risk
	Admin     Role = "admin"    // roles, tokens, sessions, keys; neither evidence nor policy
	Auditor   Role = "auditor"
)

// Roles are all of them, in the order of their weight.
var Roles = []Role{Viewer, Auditor, Developer, Approver, Security, Admin}

// Verb is one kind of act that a control plane permits or refuses.
type Verb string

// The verbs. A request of the API has exactly one; evidence has that of its kind.
const (
	Reading    Verb = "read"             // what is recorded, within the scope
	Auditing   Verb = "audit"            // exports, who is behind an id
	Stating    Verb = "evidence.write"   // evidence that no other verb is for
	Asking     Verb = "decision.ask"     // that a point is decided
	Requesting Verb = "exception.ask"    // that a risk is accepted
	Approving  Verb = "approve"          // a decision's review, yes or no
	Waiving    Verb = "exception.accept" // a risk, and taking that back
	Breaking   Verb = "break-glass"
	Governing  Verb = "policy.change" // map and policy releases, modes
	Enrolling  Verb = "key.change"    // keys of persons and machines
	Appointing Verb = "role.change"
	Managing   Verb = "access.manage" // tokens and sessions of others, erasing who is behind an id
)

// allowed is the table of the roles. Who states evidence neither governs nor waives: no role
// has both, and Caller.May refuses the verbs to who holds two roles that have them together.
var allowed = map[Role][]Verb{
	Viewer:    {Reading},
	Auditor:   {Reading, Auditing},
	Developer: {Reading, Stating, Asking, Requesting, Enrolling},
	Approver:  {Reading, Approving, Breaking, Enrolling},
	Security:  {Reading, Waiving, Governing, Approving, Breaking, Enrolling},
	Admin:     {Reading, Appointing, Managing, Enrolling},
}

// apart lists the verbs that nobody has who has Stating.
var apart = []Verb{Governing, Waiving}

// everywhere are the verbs whose acts upon the organisation hold in each environment: rules,
// keys and roles. Who may them in some environments alone may not upon the organisation.
var everywhere = []Verb{Governing, Enrolling, Appointing, Managing}

// Everything is the entry of a scope that stands for each service, team or environment.
const Everything = "*"

// Scope is where a role holds. A list without entries holds nothing. An object that is of
// no environment is in each scope's environments; one of no service and no team is of the
// organisation, and only Everything among the services covers it. To change what is judged by
// everywhere, it takes Everything among the environments too.
type Scope struct {
	Services     []string `json:"services"`
	Teams        []string `json:"teams"`
	Environments []string `json:"environments"`
}

// Anywhere is the scope without bounds.
func Anywhere() Scope {
	return Scope{[]string{Everything}, []string{Everything}, []string{Everything}}
}

// Object is what an act is about. The zero value is the organisation itself.
type Object struct{ Service, Team, Environment string }

// String names the object for people.
func (o Object) String() string {
	if o == (Object{}) {
		return "the organisation"
	}
	words := []string{}
	for _, w := range []struct{ what, name string }{{"service ", o.Service}, {"team ", o.Team}, {"environment ", o.Environment}} {
		if w.name != "" {
			words = append(words, w.what+w.name)
		}
	}
	return strings.Join(words, ", ")
}

// Filled is the scope as somebody means it who says "all services" and nothing of teams, or
// the other way round: services of every team, and teams with every service.
func (s Scope) Filled() Scope {
	all := []string{Everything}
	switch {
	case slices.Contains(s.Services, Everything) && len(s.Teams) == 0:
		s.Teams = all
	case slices.Contains(s.Teams, Everything) && len(s.Services) == 0:
		s.Services = all
	}
	return s
}

// Covers reports whether an act upon the object lies in the scope: its service or its team is
// in it, and its environment.
func (s Scope) Covers(v Verb, o Object) bool {
	in := func(list []string, name string) bool {
		return name != "" && (slices.Contains(list, Everything) || slices.Contains(list, name))
	}
	if o.Environment != "" && !in(s.Environments, o.Environment) {
		return false
	}
	if o.Service == "" && o.Team == "" {
		return slices.Contains(s.Services, Everything) && (!slices.Contains(everywhere, v) || slices.Contains(s.Environments, Everything))
	}
	return in(s.Services, o.Service) || in(s.Teams, o.Team)
}

// Grant is a role within a scope.
type Grant struct {
	Role  Role  `json:"role"`
	Scope Scope `json:"scope"`
}

// Caller is who a request of the API comes from, after his credential was verified. The
// zero value is nobody, who may do nothing.
type Caller struct {
	// Actor is the opaque id under which evidence names him. Who is behind it stands in an
	// erasable directory.
	Actor string `json:"actor"`
	// Person is his name in the map's people:, empty for a machine or somebody the map does
	// not name.
	Person string `json:"person"`
	// Workload and Issuer name a pipeline or other machine by its token: the subject in the
	// form that the map's trust: matches, and who issued it.
	Workload string `json:"workload"`
	Issuer   string `json:"issuer"`
	// Account is the account as SYSTEM:NAME of who started the workload, or of the person;
	// empty where the token does not tell.
	Account string `json:"account"`
	// Key is the id of the signing key that he proved to hold when he signed in, empty when
	// he proved none. Evidence under another key that is not enrolled is not taken from him.
	Key string `json:"key"`
	// SignedIn: he is a person who signed in with an issuer of people, in a browser, and uses
	// that session: no API token, no machine, and nobody whom a key alone lets in.
	SignedIn bool `json:"signed_in,omitempty"`
	// Session is the id of the session or token, for revoking it.
	Session string  `json:"session"`
	Grants  []Grant `json:"grants"`
}

// May gives nil when one of the caller's roles allows the verb on the object, else an
// *verdict.Error that says what is missing.
func (c Caller) May(v Verb, o Object) error {
	if c.Actor == "" {
		return &verdict.Error{Code: verdict.CodeForbidden, What: "nobody is signed in", Remedy: "sign in: verdict login --server URL, or send a token as Authorization: Bearer"}
	}
	if slices.Contains(apart, v) && c.holds(Stating) {
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: fmt.Sprintf("who states evidence may not have %s, and you state evidence (your roles: %s)", v, c.roles()),
			Remedy: "have somebody do it who does not state evidence, or have an admin take the role developer from this caller",
		}
	}
	for _, g := range c.Grants {
		if slices.Contains(allowed[g.Role], v) && g.Scope.Covers(v, o) {
			return nil
		}
	}
	remedy := fmt.Sprintf("ask an admin for a role that does (%s) in a scope with it: verdict roles grant", strings.Join(rolesWith(v), " or "))
	if o == (Object{}) && slices.Contains(everywhere, v) {
		remedy += " SUBJECT ROLE --service '*' --environment '*' --reason TEXT; it holds in each environment"
	}
	if o == (Object{}) && v != Reading && slices.ContainsFunc(c.Grants, func(g Grant) bool { return slices.Contains(allowed[g.Role], v) }) {
		remedy = "say which service it is about (--service NAME), where a role of yours allows it; or " + remedy
	}
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("your roles (%s) do not allow %s for %s", c.roles(), v, o), Remedy: remedy,
	}
}

// Reads is May(Reading, o) as a yes or no, for who looks at many objects.
func (c Caller) Reads(o Object) bool {
	return c.Actor != "" && slices.ContainsFunc(c.Grants, func(g Grant) bool {
		return slices.Contains(allowed[g.Role], Reading) && g.Scope.Covers(Reading, o)
	})
}

// Everywhere reports whether the caller may read all that there is, so that nothing has to be
// left out for him. To whoever may not, an answer is about a part, and "none" means none that he
// may see. All services do not suffice: there is what names a team and no service.
func (c Caller) Everywhere() bool {
	return c.Actor != "" && slices.ContainsFunc(c.Grants, func(g Grant) bool {
		s := g.Scope
		return slices.Contains(allowed[g.Role], Reading) && slices.Contains(s.Services, Everything) && slices.Contains(s.Teams, Everything) && slices.Contains(s.Environments, Everything)
	})
}

// Holds gives nil when one of the caller's roles allows the verb somewhere, else an
// *verdict.Error that says what is missing: what can be told before the object is known.
func (c Caller) Holds(v Verb) error {
	for _, g := range c.Grants {
		if slices.Contains(allowed[g.Role], v) {
			return c.May(v, witness(g.Scope))
		}
	}
	return c.May(v, Object{})
}

// witness is an object that lies in a scope, or the organisation where the scope is empty.
func witness(s Scope) (o Object) {
	switch {
	case slices.Contains(s.Services, Everything):
	case len(s.Services) > 0:
		o.Service = s.Services[0]
	case len(s.Teams) > 0:
		o.Team = s.Teams[0]
	}
	return o
}

// Together says with an *verdict.Error when grants belong to nobody at once: who states
// evidence neither governs nor waives. Whoever gives a role asks it before.
func Together(grants []Grant) error {
	c := Caller{Grants: grants}
	for _, v := range apart {
		if c.holds(Stating) && c.holds(v) {
			return &verdict.Error{
				Code: verdict.CodeConflict, What: fmt.Sprintf("the roles %s together would let one state evidence and have %s", c.roles(), v),
				Remedy: "give them to two different people or machines, or take the other role back first: verdict roles revoke",
			}
		}
	}
	return nil
}

func (c Caller) holds(v Verb) bool {
	return slices.ContainsFunc(c.Grants, func(g Grant) bool { return slices.Contains(allowed[g.Role], v) })
}

func (c Caller) roles() string {
	if len(c.Grants) == 0 {
		return "none"
	}
	var out []string
	for _, g := range c.Grants {
		if !slices.Contains(out, string(g.Role)) {
			out = append(out, string(g.Role))
		}
	}
	return strings.Join(out, ", ")
}

func rolesWith(v Verb) []string {
	var out []string
	for _, r := range Roles {
		if slices.Contains(allowed[r], v) {
			out = append(out, string(r))
		}
	}
	return out
}
