package wire

import (
	"encoding/json"

	"verdict"
	"verdict/ledger"
)

// BundleType is the media type of a request that is one Sigstore bundle and nothing around
// it: the short way to record one piece of evidence.
const BundleType = "application/vnd.dev.sigstore.bundle.v0.3+json"

// Record asks to record evidence: all of it, or none.
type Record struct {
	Evidence []Evidence `json:"evidence"`
}

// Evidence is one signed statement. Without Foreign, the caller signed it with an enrolled
// key, or with the one that his session is bound to.
type Evidence struct {
	Bundle  json.RawMessage `json:"bundle"`
	Foreign *Foreign        `json:"foreign,omitempty"`
}

// Foreign says how the server verifies evidence of somebody else, and what the record of
// its arrival says beside. Exactly one of PublicPEM and Identity says who signed.
type Foreign struct {
	PublicPEM string          `json:"public_pem,omitempty"`
	Identity  string          `json:"identity,omitempty"` // in a certificate of an authority that the server trusts
	Issuer    string          `json:"issuer,omitempty"`
	Context   verdict.Context `json:"context"`
}

// Recorded answers a Record: the entries, in its order, and a checkpoint that covers them.
type Recorded struct {
	Entries    []Entry           `json:"entries"`
	Checkpoint ledger.Checkpoint `json:"checkpoint"`
}

// Ask is a question to one point of the map. The server decides by the map and the rules in
// force, and by the repository's map as far as that asks for more.
type Ask struct {
	Point       string          `json:"point"`
	Subject     verdict.Subject `json:"subject"`
	Service     string          `json:"service"`
	Environment string          `json:"environment"` // empty in code, ci and artifact
	Trigger     string          `json:"trigger"`     // the command or event that asks
	Run         string          `json:"run"`
	// Requester names who asks for a deployment, as --requester does; empty: the caller. It
	// is a hint: the server says who the caller is.
	Requester string         `json:"requester,omitempty"`
	Map       *RepositoryMap `json:"map,omitempty"`
	// Dry asks what would be decided; nothing is recorded.
	Dry bool `json:"dry"`
}

// RepositoryMap is the map of the repository that is judged, at the merge base of a change.
type RepositoryMap struct {
	File     string `json:"file"`     // its path, for messages
	Content  string `json:"content"`  // YAML
	Revision string `json:"revision"` // the commit that has it
}

// Answer is what the server decided.
type Answer struct {
	// Decision is nil when the rules of the point are not built, and NotBuilt is true.
	Decision *verdict.Decision `json:"decision,omitempty"`
	NotBuilt bool              `json:"not_built"`
	Entry    *Entry            `json:"entry,omitempty"` // of the decision; nil when the question was dry
	JudgedBy string            `json:"judged_by"`       // which map decided, for people
	Notes    []string          `json:"notes"`           // which rules decided, for people
}
