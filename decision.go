package verdict

import "time"

// RuleStatus is what a rule reported. A rule that reports nothing is an error.
type RuleStatus string

// The statuses.
const (
	RulePass RuleStatus = "pass"
	RuleFail RuleStatus = "fail"
	RuleSkip RuleStatus = "skip" // does not apply to this subject
)

// Rule is the static part of a rule: what its METADATA says.
type Rule struct {
	ID          string    `json:"id"`
	Package     string    `json:"package"` // the Rego package, without "data."
	Title       string    `json:"title"`
	Effect      Effect    `json:"effect"`
	Severity    Severity  `json:"severity"`
	Evidence    []Kind    `json:"evidence"` // kinds that it rests on
	Remediation string    `json:"remediation"`
	Link        string    `json:"link"`
	Owner       string    `json:"owner"`
	EffectiveOn time.Time `json:"effective_on"` // zero: now
	// Partial marks a conftest-style rule (deny, violation, warn): it cannot be told
	// from a rule that says nothing.
	Partial bool `json:"partial"`
	// Reads lists the input references that the rule reads, found statically.
	Reads []string `json:"reads"`
}

// Reason is one rule's part in a decision.
type Reason struct {
	Rule        string     `json:"rule"`
	Title       string     `json:"title"`
	Status      RuleStatus `json:"status"`
	Effect      Effect     `json:"effect"`
	Severity    Severity   `json:"severity"`
	Message     string     `json:"message"`
	Observed    string     `json:"observed"`
	Expected    string     `json:"expected"`
	Items       []Item     `json:"items"`
	Evidence    []Ref      `json:"evidence"`
	Remediation string     `json:"remediation"`
	Owner       string     `json:"owner"`
	Link        string     `json:"link"`
	EffectiveOn time.Time  `json:"effective_on"`
	// Standing says how the reason counts.
	Standing Standing `json:"standing"`
	// By names the exceptions, approvals or break-glass that lifted it.
	By []string `json:"by"`
}

// Standing says how a failing reason counts in the decision.
type Standing string

// The standings. Only Counts lowers nothing and raises the outcome.
const (
	Counts    Standing = "counts"
	Announced Standing = "announced" // effective_on lies ahead
	Accepted  Standing = "accepted"  // a live exception covers every item of it
	Approved  Standing = "approved"  // a review lifted by approvals bound to the facts
)

// Item is one finding of a rule, so that an exception can name one vulnerability.
type Item struct {
	Key      string `json:"key"`
	Message  string `json:"message"`
	Evidence string `json:"evidence"` // digest of the statement that it rests on
	Path     string `json:"path"`
	Line     int64  `json:"line"`
	Fix      string `json:"fix"`
	// Old: it was there before the change.
	Old bool `json:"old"`
	// From is the day from which an old item counts; zero when it counts already.
	From time.Time `json:"from"`
	// Accepted names the exception that covers this item, if one does.
	Accepted string `json:"accepted"`
}

// Fault is one thing that kept a point from deciding.
type Fault struct {
	Code   string `json:"code"` // "rule.silent", "check.incomplete", "evidence.unreadable" …
	What   string `json:"what"`
	Remedy string `json:"remedy"`
	Rule   string `json:"rule"` // the rule that it concerns, if one
}

// Decision is the answer of one decision point about one subject, with everything that
// it rests on. It is evidence (predicate decision/v1).
type Decision struct {
	ID          string    `json:"id"`
	Point       string    `json:"point"`
	Layer       Layer     `json:"layer"`
	Question    string    `json:"question"`
	Mode        Mode      `json:"mode"`
	Subject     Subject   `json:"subject"`
	Service     string    `json:"service"`
	Team        string    `json:"team"`
	Environment string    `json:"environment"`
	At          time.Time `json:"at"`
	Trigger     string    `json:"trigger"` // "verdict ci", "gate", "admission" …
	Actor       string    `json:"actor"`
	// Requester asks for a deployment; nil at points of other layers.
	Requester *Requester `json:"requester,omitempty"`
	// Rollback is true where the subject goes back to an environment that it was promoted to
	// before.
	Rollback bool `json:"rollback,omitempty"`
	// From holds digests of what the subject was made from, as evidence that counts tells:
	// the commit of an artifact. The trail leads over them.
	From []Digest `json:"from,omitempty"`

	Outcome  Outcome  `json:"outcome"`  // what the facts say
	Enforced Outcome  `json:"enforced"` // what the mode let through
	Reasons  []Reason `json:"reasons"`  // failing rules, worst first
	Passed   []string `json:"passed"`
	Skipped  []string `json:"skipped"`
	Errors   []Fault  `json:"errors"`
	// BreakGlass names the emergency that lifted deny or error to allow.
	BreakGlass string `json:"break_glass"`
	// Answer is how far the review of a deploy point has come; nil where none is asked for.
	Answer *Answer `json:"answer,omitempty"`
	// Lifted is what persons let in: the exceptions, approvals and break-glass that the
	// standing of the reasons and the outcome rest on. Nil where nobody did.
	Lifted *Lifted `json:"lifted,omitempty"`
	// Aside is what persons stated about it and what does not count.
	Aside   []Aside   `json:"aside,omitempty"`
	Expires time.Time `json:"expires"` // zero: does not expire

	Digests Digests `json:"digests"`
	Engine  string  `json:"engine"` // policy engine and version
	// Evidence lists every statement that the input was built from.
	Evidence []Ref `json:"evidence"`
}

// Digests pins everything that a decision was computed from. Result covers outcome,
// enforced, reasons, passed, skipped and errors: replay compares it.
type Digests struct {
	Map          Digest `json:"map"`
	Point        Digest `json:"point"`
	Policy       Digest `json:"policy"`
	Input        Digest `json:"input"`
	Facts        Digest `json:"facts"`
	Capabilities Digest `json:"capabilities"`
	Result       Digest `json:"result"`
}

// Lifted is accepted risk that a decision rests on.
type Lifted struct {
	Exceptions []Exception `json:"exceptions"`
	Approvals  []Approval  `json:"approvals"`
	BreakGlass *BreakGlass `json:"break_glass"`
}

// Exit is the exit code that enforces the decision: 0 allowed, 3 blocked, 5 needs
// approval, 1 could not decide. Where a real failure stands beside an error, 3 wins.
func (d Decision) Exit() int {
	switch d.Enforced {
	case Allow:
		return 0
	case Review:
		return CodeReview.Exit()
	}
	if d.Outcome == Undecided && !d.denied() {
		return CodeInternal.Exit()
	}
	return CodeRefused.Exit()
}

// denied reports whether a rule that denies failed and counts.
func (d Decision) denied() bool {
	for _, r := range d.Reasons {
		if r.Standing == Counts && r.Effect.Outcome() == Deny {
			return true
		}
	}
	return false
}
