package identity

import (
	"time"

	"verdict"
)

// Access is the predicate of evidence of kind access: what somebody did about who may come in,
// besides roles. The server signs it in the name of who did it. It has opaque ids and nothing
// personal; single sign-ins are in no evidence.
type Access struct {
	ID         string    `json:"id"` // of this act
	Act        AccessAct `json:"act"`
	Subject    string    `json:"subject"`    // the actor whom it is about; SignInFile
	Credential string    `json:"credential"` // id of the session or token; empty where it is about none
	By         string    `json:"by"`         // the actor who did it
	At         time.Time `json:"at"`
	// Config is the digest of the file that says whose tokens sign in; empty: there is none, or
	// it is about something else.
	Config verdict.Digest `json:"config,omitempty"`
}

// SignInFile is the subject of an Access that is about the sign-in file.
const SignInFile = "sign-in file"

// AccessAct is what was done.
type AccessAct string

// The acts.
const (
	TokenMade      AccessAct = "token-made"
	TokenRevoked   AccessAct = "token-revoked"
	SessionRevoked AccessAct = "session-revoked" // of somebody else: whoever signs out states nothing
	ActorErased    AccessAct = "actor-erased"
	SignInChanged  AccessAct = "sign-in-changed" // a server began with another sign-in file than the last one
)
