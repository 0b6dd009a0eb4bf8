package wire

import (
	"time"

	"verdict/identity"
)

// RoleGrants is who has which roles.
type RoleGrants struct {
	Subject string           `json:"subject"`
	Grants  []identity.Grant `json:"grants"`
}

// Roles are the roles that the ledger gives, sorted by whose they are.
type Roles struct {
	Roles []RoleGrants `json:"roles"`
}

// RoleAsked asks to give somebody a role.
type RoleAsked struct {
	Subject string         `json:"subject" maxLength:"200" doc:"the id of an actor, person:ID of the map's people, or key:ID of an enrolled key"`
	Role    identity.Role  `json:"role" enum:"viewer,auditor,developer,approver,security,admin"`
	Scope   identity.Scope `json:"scope"`
	Reason  string         `json:"reason" maxLength:"1000" minLength:"1"`
}

// RoleChanged answers a change of roles.
type RoleChanged struct {
	Entry int64      `json:"entry" doc:"of the role-change in the ledger"`
	Has   RoleGrants `json:"has" doc:"what the ledger gives the subject now"`
}

// Held is a session or an API token, without its secret.
type Held struct {
	ID       string           `json:"id"`
	Actor    string           `json:"actor"`
	Label    string           `json:"label" doc:"what it is called, or how its holder signed in"`
	Workload string           `json:"workload,omitempty"`
	Grants   []identity.Grant `json:"grants" doc:"the roles of an API token; it gives none that its owner has lost"`
	Made     time.Time        `json:"made"`
	Expires  time.Time        `json:"expires"`
	Revoked  *time.Time       `json:"revoked,omitempty"`
	Current  bool             `json:"current" doc:"it is the one that asks"`
}

// HeldList is a page of them.
type HeldList struct {
	Items []Held `json:"items"`
	Next  string `json:"next" doc:"what to continue after; empty: that was all"`
}

// TokenAsked asks for an API token.
type TokenAsked struct {
	Label   string           `json:"label" minLength:"1" maxLength:"200" doc:"what it is for"`
	Grants  []identity.Grant `json:"grants" minItems:"1" maxItems:"50" doc:"what it may do; for oneself at most what one may"`
	Days    int              `json:"days" minimum:"1" maximum:"366" doc:"until it expires"`
	Machine bool             `json:"machine,omitempty" doc:"for a machine with an actor and roles of its own, which takes a role that appoints"`
}

// TokenMade is a new API token, with its secret.
type TokenMade struct {
	Held
	Token string `json:"token" doc:"shown this once"`
}

// Me is who asks.
type Me struct {
	identity.Caller
	Name string `json:"name" doc:"from the directory of actors; empty when it was erased"`
}
