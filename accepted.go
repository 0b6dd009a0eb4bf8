package verdict

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"
)

// Step is what a person does about accepted risk. Each step is a statement that the person
// signs; what stands is folded from them in the order of the ledger.
type Step string

// The steps. Request, approve and revoke are of exceptions; approve, reject and withdraw of
// a review; begin and review of break-glass.
const (
	StepRequest  Step = "request"
	StepApprove  Step = "approve"
	StepRevoke   Step = "revoke"
	StepReject   Step = "reject"
	StepWithdraw Step = "withdraw"
	StepBegin    Step = "begin"
	StepReview   Step = "review"
)

// Said is who takes a step, and when. The signature under the statement proves By: a
// statement in another person's name counts for nothing.
type Said struct {
	Step Step   `json:"step"`
	By   string `json:"by"` // the id of a person
	// SignedIn: a server's key signs for By, who is signed in there: it is the server's word.
	SignedIn bool `json:"signed_in,omitempty"`
	// Teams are those of the person by the map when it was signed.
	Teams []string  `json:"teams"`
	At    time.Time `json:"at"`
	Note  string    `json:"note"` // why, of a step that has no rationale of its own
}

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

// Terms is what a person who signs a step of the exception agrees to: all of it but what
// came of it, which follows from who signed.
func (x Exception) Terms() Exception {
	x.Items = append([]string{}, x.Items...)
	x.Environments = append([]string{}, x.Environments...)
	x.Digests = append([]Digest{}, x.Digests...)
	slices.Sort(x.Items)
	slices.Sort(x.Environments)
	slices.Sort(x.Digests)
	x.ApprovedBy, x.Revoked = []string{}, time.Time{}
	return x
}

// ExceptionStep is the predicate of evidence of kind exception. It repeats the terms in
// full, so that nobody signs what they cannot read.
type ExceptionStep struct {
	Exception
	Said
}

// Approval is a person's answer to the review reasons of one decision. It holds for these
// facts only: another facts digest, and it is dead. It is the predicate of evidence of kind
// approval; Step says whether it is a yes, a no, or takes the answer with the same ID back.
type Approval struct {
	ID       string `json:"id"`
	Step     Step   `json:"step"` // approve, reject, withdraw
	Decision string `json:"decision"`
	// Subject, Point, Service and Environment are the decision's.
	Subject     Digest    `json:"subject"`
	Point       string    `json:"point"`
	Service     string    `json:"service"`
	Environment string    `json:"environment"`
	Facts       Digest    `json:"facts"`
	Rules       []string  `json:"rules"` // the review reasons that it covers
	Scope       string    `json:"scope"`
	Rationale   string    `json:"rationale"`
	By          string    `json:"by"`
	SignedIn    bool      `json:"signed_in,omitempty"` // as in Said
	Teams       []string  `json:"teams"`               // of the person by the map when it was signed
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"` // zero for a rejection, which stands until it is taken back
	// Shown is what the person was shown of each reason that was answered.
	Shown []ShownReason `json:"shown"`
}

// ShownReason is a review reason as a person saw it.
type ShownReason struct {
	Rule     string   `json:"rule"`
	Items    []string `json:"items"` // keys
	Observed string   `json:"observed"`
	Expected string   `json:"expected"`
}

// LiveAt reports whether the approval holds at t.
func (a Approval) LiveAt(t time.Time) bool { return !t.Before(a.Created) && t.Before(a.Expires) }

// BreakGlass is an emergency yes: visible, short-lived, reviewed afterwards. It is the
// predicate of evidence of kind break-glass; the statement of its review repeats it under
// the same ID with the last five fields filled.
type BreakGlass struct {
	ID          string    `json:"id"`
	Step        Step      `json:"step"` // begin, review
	Incident    string    `json:"incident"`
	Rationale   string    `json:"rationale"`
	Service     string    `json:"service"`
	Environment string    `json:"environment"`
	Subject     Digest    `json:"subject"` // what it lets in, and nothing else
	By          string    `json:"by"`
	SignedIn    bool      `json:"signed_in,omitempty"` // as in Said
	Teams       []string  `json:"teams"`
	Created     time.Time `json:"created"`
	Expires     time.Time `json:"expires"`
	ReviewBy    time.Time `json:"review_by"`

	Reviewed    time.Time `json:"reviewed"` // zero: nobody has looked at it
	ReviewedBy  string    `json:"reviewed_by"`
	ReviewTeams []string  `json:"review_teams"`
	Review      string    `json:"review"` // what came out
	// ReviewSignedIn is SignedIn for ReviewedBy.
	ReviewSignedIn bool `json:"review_signed_in,omitempty"`
}

// LiveAt reports whether the emergency is under way at t.
func (b BreakGlass) LiveAt(t time.Time) bool { return !t.Before(b.Created) && t.Before(b.Expires) }

// OverdueAt reports whether nobody has reviewed the emergency at t, though somebody should.
func (b BreakGlass) OverdueAt(t time.Time) bool {
	return (b.Reviewed.IsZero() || t.Before(b.Reviewed)) && !t.Before(b.ReviewBy)
}

// Aside is what a person stated and what does not count in a decision, and why. It is told,
// or a person would think that they had let something in.
type Aside struct {
	Kind   Kind   `json:"kind"` // approval, exception, break-glass
	ID     string `json:"id"`
	Rule   string `json:"rule,omitempty"` // of an exception
	By     string `json:"by"`             // whose key signed it; empty: nobody's
	Index  int64  `json:"index"`          // of its statement in the log
	Why    string `json:"why"`
	Remedy string `json:"remedy"`
}

// Barred is a person who may not approve, and what part they had in the matter.
type Barred struct {
	Person string `json:"person"`
	Role   string `json:"role"` // "author of …", "requester"
}

// Answer is how far a review has come: who has to say yes, who did, who may not.
type Answer struct {
	Persons   int      `json:"persons"`   // that have to approve
	Approvers []string `json:"approvers"` // persons and teams of whom they are
	Given     []string `json:"given"`     // persons whose approval counts
	Not       []Barred `json:"not"`
	// Unknown says why nobody can be shown to be another than who had a part in it; then no
	// approval counts. Empty: everybody is known.
	Unknown string `json:"unknown"`
	Remedy  string `json:"remedy"` // for Unknown
}

// DeploymentSubject is a service in an environment as the subject of evidence: exceptions
// and break-glass are found by it.
func DeploymentSubject(service, environment string) Subject {
	sum := sha256.Sum256([]byte(strings.Join([]string{"deployment", service, environment}, "\x00")))
	return Subject{Kind: SubjectDeployment, Name: service + " in " + environment, Digest: NewDigest("sha256", hex.EncodeToString(sum[:]))}
}
