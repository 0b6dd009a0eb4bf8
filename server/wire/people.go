package wire

import "verdict"

// DecisionAnswer is a person's yes or no to a decision that waits for one.
type DecisionAnswer struct {
	Decision  string       `json:"decision" minLength:"4" maxLength:"100" doc:"its id, or a beginning of it that is unique"`
	Step      verdict.Step `json:"step" enum:"approve,reject"`
	Scope     string       `json:"scope,omitempty" maxLength:"4096" doc:"what is approved, in the person's words; needed for an approval"`
	Rationale string       `json:"rationale,omitempty" maxLength:"4096" doc:"why"`
	Expires   string       `json:"expires,omitempty" maxLength:"40" doc:"until when an approval holds: 24h, 7d, or a time (RFC 3339)"`
	DryRun    bool         `json:"dry_run,omitempty" doc:"say what would be signed and what is still to be said, and sign nothing"`
}

// Withdrawal takes an approval or a rejection of one's own back.
type Withdrawal struct {
	Rationale string `json:"rationale,omitempty" maxLength:"4096"`
}

// ExceptionRequest asks to have a risk accepted.
type ExceptionRequest struct {
	Rule         string   `json:"rule" minLength:"1" maxLength:"200" doc:"as the decision names it"`
	Items        []string `json:"items,omitempty" maxItems:"1000" doc:"findings of the rule by their keys; none: whatever it finds"`
	Service      string   `json:"service" minLength:"1" maxLength:"100"`
	Environments []string `json:"environments" minItems:"1" maxItems:"100"`
	Digests      []string `json:"digests,omitempty" maxItems:"100" doc:"the artifacts or plans that it covers"`
	Versions     string   `json:"versions,omitempty" maxLength:"200" doc:"a range of versions in place of digests, or *"`
	Rationale    string   `json:"rationale" minLength:"1" maxLength:"4096"`
	Owner        string   `json:"owner" minLength:"1" maxLength:"200" doc:"the person or team that bears the risk"`
	Ticket       string   `json:"ticket,omitempty" maxLength:"200"`
	Controls     string   `json:"controls,omitempty" maxLength:"4096" doc:"what is done instead"`
	RequestedBy  string   `json:"requested_by,omitempty" maxLength:"200" doc:"the person who asks, where that is not the caller"`
	Expires      string   `json:"expires" minLength:"1" maxLength:"40" doc:"30d, or a time (RFC 3339)"`
}

// ExceptionApproval accepts the risk that another person asked to have accepted.
type ExceptionApproval struct {
	Note string `json:"note,omitempty" maxLength:"4096"`
}

// Rationale is why an exception ends before its day, or what was found when an emergency was
// looked at afterwards.
type Rationale struct {
	Rationale string `json:"rationale" minLength:"1" maxLength:"4096"`
}

// Emergency is an emergency: what is let in, where, why and for how long.
type Emergency struct {
	Subject     verdict.Subject `json:"subject" doc:"the artifact, or the plan of infrastructure, by its digest"`
	Service     string          `json:"service" minLength:"1" maxLength:"100"`
	Environment string          `json:"environment" minLength:"1" maxLength:"100"`
	Incident    string          `json:"incident" minLength:"1" maxLength:"200"`
	Rationale   string          `json:"rationale" minLength:"1" maxLength:"4096"`
	Expires     string          `json:"expires" minLength:"1" maxLength:"40" doc:"2h, or a time (RFC 3339)"`
}
