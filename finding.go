package verdict

import "time"

// FindingVulnerable is the kind of finding, and the point, for a vulnerability that became
// known of what runs.
const FindingVulnerable = "runtime.vulnerable"

// Finding is a risk of something that runs. Statements with one fingerprint are one
// finding: the last of them says how it stands.
type Finding struct {
	Kind        string       `json:"kind"`
	State       FindingState `json:"state"`
	Fingerprint Digest       `json:"fingerprint"`
	Environment string       `json:"environment"`
	Service     string       `json:"service"`
	Name        string       `json:"name"`     // of the artifact
	Digest      Digest       `json:"digest"`   // of the artifact
	Decision    string       `json:"decision"` // that let it in; empty: none is named
	// Advisories are the ids of the fault, the one to show first.
	Advisories []string `json:"advisories"`
	Severity   Severity `json:"severity"`
	Exploited  bool     `json:"exploited"`
	Malicious  bool     `json:"malicious"`
	// Components are those that have it, and Fixed the version of the first that has not.
	Components []Component `json:"components"`
	Fixed      string      `json:"fixed"`
	// Replaces is the entry of the statement before this one about the same finding; -1 for
	// the first.
	Replaces int64     `json:"replaces"`
	Opened   time.Time `json:"opened"`
	Closed   time.Time `json:"closed,omitzero"`
	Why      string    `json:"why,omitempty"` // it was closed
}

// FindingState is how a finding stands.
type FindingState string

// The states.
const (
	FindingOpen   FindingState = "open"
	FindingClosed FindingState = "closed"
)
