package policy

import "verdict"

// Environment is where the artifact would run: what the map declares, and what of it holds
// at the time of the decision.
type Environment struct {
	State verdict.State `json:"state"` // missing where the map has none of this name
	Name  string        `json:"name"`
	// Declared is true where the map lets the service run here.
	Declared    bool   `json:"declared"`
	Tier        string `json:"tier"`
	Cloud       string `json:"cloud"`
	Exposure    string `json:"exposure"`
	Data        string `json:"data"`
	BlastRadius string `json:"blast_radius"`
	Rollback    string `json:"rollback"`
	MinSLSA     int64  `json:"min_slsa"`
	PromoteFrom string `json:"promote_from"`
	// Chain is true where every environment of the promotion chain exists.
	Chain       bool     `json:"chain"`
	SoakSeconds int64    `json:"soak_seconds"`
	Freezes     []Freeze `json:"freezes"`
	Hours       string   `json:"hours"`
	Open        bool     `json:"open"` // the hours allow a change now
	SLA         SLA      `json:"vulnerability_sla"`
	// MaxBaseAgeSeconds is -1 where any age will do.
	MaxBaseAgeSeconds int64 `json:"max_base_age_seconds"`
	// What a plan may reach; an empty list limits nothing.
	Providers []string `json:"providers"`
	Accounts  []string `json:"accounts"`
	Regions   []string `json:"regions"`
	Kinds     []string `json:"kinds"`
	Protected []string `json:"protected"`
}

// SLA is how long a vulnerability may be known, in seconds, by its severity; -1: for ever.
type SLA struct {
	Critical int64 `json:"critical"`
	High     int64 `json:"high"`
	Medium   int64 `json:"medium"`
	Low      int64 `json:"low"`
}

// Freeze is a time in which nothing is deployed.
type Freeze struct {
	From   Time   `json:"from"`
	To     Time   `json:"to"`
	Reason string `json:"reason"`
	Holds  bool   `json:"holds"` // at the time of the decision
}

// Promotions are the allow decisions of the point about this digest, in every environment,
// by signers whom the map lets promote there.
type Promotions struct {
	State verdict.State `json:"state"`
	// First: nothing of the service was promoted into this environment before.
	First bool        `json:"first"`
	List  []Promotion `json:"list"`
	// Rebuilt are promotions of another digest that was made from the same commit.
	Rebuilt []Promotion `json:"rebuilt"`
}

// Promotion let the digest into one environment.
type Promotion struct {
	Decision    string         `json:"decision"`
	Environment string         `json:"environment"`
	Digest      verdict.Digest `json:"digest"`
	At          Time           `json:"at"`
	AgeSeconds  int64          `json:"age_seconds"`
	Expires     Time           `json:"expires"`
	Lapsed      bool           `json:"lapsed"` // it expired
}

// Rollback is the way back in the environment.
type Rollback struct {
	State verdict.State `json:"state"`
	// Requested: this decision is about going back to a digest that was promoted here before.
	Requested bool `json:"requested"`
	// PreviousDigest is what was promoted here before this digest, "" for nothing.
	PreviousDigest verdict.Digest `json:"previous_digest"`
	// TestedAt is when somebody last went back here, as its deployment was stated.
	TestedAt Time `json:"tested_at"`
}

// Runtime is what observation has open against the service in the environment. Its state
// is missing where nobody observes: then the counts say nothing.
type Runtime struct {
	State        verdict.State `json:"state"`
	OpenDrift    int64         `json:"open_drift"`
	OpenExposure int64         `json:"open_exposure"`
	OpenMisuse   int64         `json:"open_misuse"`
	// Vulnerable is what became known of what runs since it was let in. It comes from
	// advisories and not from observation, and each is known without the other.
	Vulnerable RunningVulnerabilities `json:"vulnerable"`
}

// RunningVulnerabilities are the open findings of what the service runs in the environment.
type RunningVulnerabilities struct {
	State verdict.State          `json:"state"` // missing where no finding was ever recorded
	Open  []RunningVulnerability `json:"open"`
}

// RunningVulnerability is one open finding of an artifact that runs.
type RunningVulnerability struct {
	Key      verdict.Digest   `json:"key"` // the finding's fingerprint
	ID       string           `json:"id"`
	Aliases  []string         `json:"aliases"`
	Artifact string           `json:"artifact"` // name
	Digest   verdict.Digest   `json:"digest"`
	Severity verdict.Severity `json:"severity"`
	// Exploited, Malicious and Fixed are what was known when the finding was opened.
	Exploited   bool   `json:"exploited"`
	Malicious   bool   `json:"malicious"`
	Fixed       string `json:"fixed"`
	Since       Time   `json:"since"`
	OpenSeconds int64  `json:"open_seconds"`
	// Replaced: what is asked about takes the place of the artifact that has it. Whether it
	// has it too is then among its own vulnerabilities, and nowhere else.
	Replaced bool           `json:"replaced"`
	Evidence verdict.Digest `json:"evidence"`
}

// Requester is who asks for the deployment.
type Requester struct {
	State  verdict.State `json:"state"` // unknown where the map does not know the account, present where a machine says it and nobody proves it
	Person string        `json:"person"`
	Kind   string        `json:"kind"` // "person" or "workload"
	Teams  []string      `json:"teams"`
}

// BreakGlass is what emergencies of the service left behind in the environment.
type BreakGlass struct {
	State   verdict.State `json:"state"`
	Overdue []Emergency   `json:"overdue"` // nobody reviewed them in time
}

// Emergency is one use of break-glass.
type Emergency struct {
	ID       string         `json:"id"`
	Incident string         `json:"incident"`
	By       string         `json:"by"`
	ReviewBy Time           `json:"review_by"`
	Evidence verdict.Digest `json:"evidence"`
}
