package verdict

import "time"

// Exception is accepted risk: who bears which risk, where, until when.
type Exception struct {
	ID           string    `json:"id"`
	Rule         string    `json:"rule"`
	Items        []string  `json:"items"` // item keys; empty covers the whole rule
	Service      string    `json:"service"`
	Environments []string  `json:"environments"`
	Digests      []Digest  `json:"digests"`  // empty: any version in Versions
	Versions     string    `json:"versions"` // a range; empty: any digest in Digests
	Rationale    string    `json:"rationale"`
	Controls     string    `json:"controls"` // compensating controls
	Ticket       string    `json:"ticket"`
	Owner        string    `json:"owner"`
	RequestedBy  string    `json:"requested_by"`
	ApprovedBy   []string  `json:"approved_by"`
	Created      time.Time `json:"created"`
	Expires      time.Time `json:"expires"`
	Revoked      time.Time `json:"revoked"` // zero: not revoked
}

// LiveAt reports whether the exception holds at t: created, not expired, not revoked.
func (x Exception) LiveAt(t time.Time) bool {
	return !t.Before(x.Created) && t.Before(x.Expires) && (x.Revoked.IsZero() || t.Before(x.Revoked))
}

// Approval is a person's yes to the review reasons of one decision. It holds for these
// facts only: another facts digest, and it is dead.
type Approval struct {
	ID        string    `json:"id"`
	Decision  string    `json:"decision"`
	Facts     Digest    `json:"facts"`
	Rules     []string  `json:"rules"` // the review reasons that it covers
	Scope     string    `json:"scope"`
	Rationale string    `json:"rationale"`
	By        string    `json:"by"`
	Created   time.Time `json:"created"`
	Expires   time.Time `json:"expires"`
}

// LiveAt reports whether the approval holds at t.
func (a Approval) LiveAt(t time.Time) bool { return !t.Before(a.Created) && t.Before(a.Expires) }

// BreakGlass is an emergency yes: visible, short-lived, reviewed afterwards.
type BreakGlass struct {
	ID          string    `json:"id"`
	Incident    string    `json:"incident"`
	Rationale   string    `json:"rationale"`
	Service     string    `json:"service"`
	Environment string    `json:"environment"`
	By          string    `json:"by"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	ReviewBy    time.Time `json:"review_by"`
	Reviewed    time.Time `json:"reviewed"`
}

// LiveAt reports whether the emergency is under way at t.
func (b BreakGlass) LiveAt(t time.Time) bool { return !t.Before(b.Created) && t.Before(b.Expires) }
