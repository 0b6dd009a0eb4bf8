package policy

import (
	"time"

	"verdict"
)

// InputSchema is the word in Input.Schema.
const InputSchema = "verdict.input/v1"

// Input is the closed document that rules read: verdict.input/v1. Every member is
// always there, because in Rego a member that is not makes a rule say nothing. Only the
// six pointer groups can be absent as a whole: code, ci and artifact points answer
// what holds wherever the artifact runs later, so for them these groups do not exist.
//
// Decision and Subject are the question; each group of facts has a State that says how
// well it is known, and an empty list in a group that is not known means nothing.
// There are integers only, no null, and every list that has no order of its own is
// sorted (see Normalize).
type Input struct {
	Schema   string   `json:"schema"`
	Decision Decision `json:"decision"`
	Subject  Subject  `json:"subject"`
	Service  Service  `json:"service"`

	Artifact        Artifact         `json:"artifact"`
	Vulnerabilities Vulnerabilities  `json:"vulnerabilities"`
	Checks          map[string]Check `json:"checks"` // by Report.Check: "secrets", "iac" …
	Change          Change           `json:"change"`
	Ownership       Ownership        `json:"ownership"`
	Review          Review           `json:"review"`
	Plan            Plan             `json:"plan"`
	Evidence        []Evidence       `json:"evidence"` // every statement the facts rest on

	Environment *Environment `json:"environment,omitempty"`
	Promotions  *Promotions  `json:"promotions,omitempty"`
	Rollback    *Rollback    `json:"rollback,omitempty"`
	Runtime     *Runtime     `json:"runtime,omitempty"`
	Requester   *Requester   `json:"requester,omitempty"`
	BreakGlass  *BreakGlass  `json:"break_glass,omitempty"`
}

// Time is a moment in RFC 3339, UTC, microseconds; "" when there is none.
type Time string

// TimeOf writes t; the zero time is "".
func TimeOf(t time.Time) Time {
	if t.IsZero() {
		return ""
	}
	return Time(t.UTC().Truncate(time.Microsecond).Format(time.RFC3339Nano))
}

// Decision is the decision point that asks, and when.
type Decision struct {
	ID      string        `json:"id"`
	Point   string        `json:"point"`
	Layer   verdict.Layer `json:"layer"`
	At      Time          `json:"at"`
	Trigger string        `json:"trigger"`
	Actor   string        `json:"actor"`
}

// Subject is what the question is about.
type Subject struct {
	Kind    verdict.SubjectKind `json:"kind"`
	Name    string              `json:"name"`
	Digest  verdict.Digest      `json:"digest"`
	Version string              `json:"version"`
}

// Service is what the map declares of the subject's service.
type Service struct {
	State verdict.State `json:"state"`
	Name  string        `json:"name"`
	Team  string        `json:"team"`
	Owner string        `json:"owner"`
	Repo  string        `json:"repo"`
	Tier  string        `json:"tier"`
	// SignedCommits is true where each commit of a change has to be signed.
	SignedCommits bool `json:"signed_commits"`
}

// Artifact is what is known of a digest. At deploy points it is what the decision that
// trusts it rested on.
type Artifact struct {
	State      verdict.State `json:"state"`
	Signature  Signature     `json:"signature"`
	Provenance Provenance    `json:"provenance"`
	Source     SourceLevel   `json:"source"`
	SBOM       SBOM          `json:"sbom"`
	Licences   Licences      `json:"licences"`
	Base       Base          `json:"base"`
	BuiltAt    Time          `json:"built_at"`
	// Checked and Reviewed are what the points of ci and of code decided about the commit
	// that it was built from, as far as the point needs them.
	Checked  []Decided `json:"checked"`
	Reviewed []Decided `json:"reviewed"`
	// Rebuilds are other digests of the same name that were decided on and come from the
	// same commit.
	Rebuilds []Rebuild `json:"rebuilds"`
}

// Base is the image that an image says it was built on.
type Base struct {
	State   verdict.State  `json:"state"` // present where the image says it: nothing proves it
	Name    string         `json:"name"`
	Digest  verdict.Digest `json:"digest"`
	Created Time           `json:"created"`
	// AgeSeconds is how old it is at the decision; -1 when that is not known.
	AgeSeconds int64          `json:"age_seconds"`
	Evidence   verdict.Digest `json:"evidence"`
}

// Signature says who signed the artifact.
type Signature struct {
	State    verdict.State  `json:"state"`
	By       string         `json:"by"`
	Issuer   string         `json:"issuer"`
	Evidence verdict.Digest `json:"evidence"`
}

// Provenance says who built the artifact from what.
type Provenance struct {
	State     verdict.State `json:"state"`
	Builder   string        `json:"builder"`
	BuildType string        `json:"build_type"`
	// Known is the builder's name in the map; "" for one that the map does not know.
	Known  string         `json:"known"`
	Source string         `json:"source"` // repository
	Own    bool           `json:"own"`    // the source is one that the builder may build this service from
	Ref    string         `json:"ref"`
	Commit verdict.Digest `json:"commit"`
	SLSA   int64          `json:"slsa"` // build level, 0 to 3
	// Unknown are external parameters that the map does not let the builder have.
	Unknown  []string       `json:"unknown_parameters"`
	Why      string         `json:"why"` // the builder or the source is not known; "" when both are
	Evidence verdict.Digest `json:"evidence"`
}

// SourceLevel is what was verified of how the commit came to be.
type SourceLevel struct {
	State    verdict.State  `json:"state"`
	SLSA     int64          `json:"slsa"`     // source level, 0 to 4
	Reviewed bool           `json:"reviewed"` // by somebody who had no hand in it
	Evidence verdict.Digest `json:"evidence"`
}

// SBOM says what is in the artifact.
type SBOM struct {
	State      verdict.State  `json:"state"`
	Digest     verdict.Digest `json:"digest"`
	Format     string         `json:"format"`
	Components int64          `json:"components"`
	Inventory  string         `json:"inventory"` // whether these are all, as it says itself: complete, incomplete, unknown
	Evidence   verdict.Digest `json:"evidence"`
}

// Licences are those that the bill of materials declares of the components.
type Licences struct {
	State      verdict.State `json:"state"`      // verified where the components of a bill that counts were read
	Components int64         `json:"components"` // that have one, or should
	// Unknown are components that declare none, or something that is no expression of SPDX:
	// they may be under any.
	Unknown  int64          `json:"unknown"`
	Declared []Licence      `json:"declared"`
	Evidence verdict.Digest `json:"evidence"`
}

// Licence is one licence or one expression over several, as SPDX writes it.
type Licence struct {
	Expression string   `json:"expression"`
	IDs        []string `json:"ids"`        // of the licences in it without their exceptions, to choose from or together
	Components int64    `json:"components"` // that declare it, among others where they declare several
}

// Decided is what an earlier point decided about the artifact's commit.
type Decided struct {
	Need     string          `json:"need"`
	Point    string          `json:"point"`
	State    verdict.State   `json:"state"`
	Outcome  verdict.Outcome `json:"outcome"` // "error" where there is no decision that counts
	Decision string          `json:"decision"`
	Evidence verdict.Digest  `json:"evidence"`
}

// Rebuild is another digest of the same name from the same commit.
type Rebuild struct {
	Digest   verdict.Digest `json:"digest"`
	At       Time           `json:"at"` // when it was decided on first
	Evidence verdict.Digest `json:"evidence"`
}

// Vulnerabilities are the advisories that apply to the subject's components.
type Vulnerabilities struct {
	State     verdict.State `json:"state"`
	MatchedAt Time          `json:"matched_at"`
	By        string        `json:"by"`
	// Complete is false when a component, a lockfile or an ecosystem was not judged.
	// Incomplete and without findings is not clean.
	Complete   bool      `json:"complete"`
	Inputs     int64     `json:"inputs"`     // lockfiles or SBOMs that were read
	Components int64     `json:"components"` // components judged
	Database   Database  `json:"database"`
	Findings   []Finding `json:"findings"`
	// Groups count the findings, by what rules ask about all of them: Normalize fills it.
	Groups []FindingGroup `json:"groups"`
	// VEX is what is stated of the findings: for each the statement that counts, and some
	// that do not.
	VEX []VEX `json:"vex"`
	// Prepared is Findings as Prepare gave them; nil, or of another list, it changes nothing.
	Prepared *Prepared `json:"-"`
}

// FindingGroup counts the findings of one severity that are known since one moment. A rule
// that asks whether there is any of a sort need not go through all of them.
type FindingGroup struct {
	Severity verdict.Severity `json:"severity"`
	Since    Time             `json:"since"`
	// OpenSeconds is how long before the decision that is; -1 at points that count no time.
	OpenSeconds int64 `json:"open_seconds"`
	Findings    int64 `json:"findings"`
	Exploited   int64 `json:"exploited"`
	Malicious   int64 `json:"malicious"`
}

// VEX is one statement of whether a finding matters. It never takes the finding away.
type VEX struct {
	Key           string         `json:"key"`    // of the finding
	Counts        bool           `json:"counts"` // stated by a trusted producer other than the finding's, and not overtaken
	Status        string         `json:"status"` // not_affected, affected, fixed, under_investigation
	Justification string         `json:"justification"`
	Impact        string         `json:"impact"` // why, in its author's words
	By            string         `json:"by"`     // who signed it
	At            Time           `json:"at"`     // when it was stated
	Index         int64          `json:"index"`  // in the log
	Evidence      verdict.Digest `json:"evidence"`
	Why           string         `json:"why"` // it does not count; "" when it does
}

// Database names the data that was matched against.
type Database struct {
	State   verdict.State  `json:"state"`
	Name    string         `json:"name"`
	Digest  verdict.Digest `json:"digest"`
	At      Time           `json:"at"`
	Entries int64          `json:"entries"`
}

// Finding is one advisory that applies to one component.
type Finding struct {
	Key        string           `json:"key"` // what an exception names
	ID         string           `json:"id"`
	Aliases    []string         `json:"aliases"`
	Ecosystem  string           `json:"ecosystem"`
	Name       string           `json:"name"`
	Version    string           `json:"version"`
	PURL       string           `json:"purl"`
	Fixed      string           `json:"fixed"` // "" when no version is known to be good
	Fix        string           `json:"fix"`   // the command or edit that takes it
	Severity   verdict.Severity `json:"severity"`
	EPSS       int64            `json:"epss"` // parts per million, -1 when unknown
	Exploited  bool             `json:"exploited"`
	Malicious  bool             `json:"malicious"`
	Direct     bool             `json:"direct"`
	Path       []string         `json:"path" order:"kept"` // from the root to the component
	SourcePath string           `json:"source_path"`       // the file that names the component
	Line       int64            `json:"line"`
	Old        bool             `json:"old"` // the base of the change has the component as well
	Reach      Reach            `json:"reach"`
	// Since is when it became known in what the service brought to the environment, to the
	// second; "" at points that count no time.
	Since    Time           `json:"since"`
	Evidence verdict.Digest `json:"evidence"`
}

// Reach is whether what is affected of a component is imported. It orders work, and lets
// a gate weigh what has no fix; that a fix has to be taken does not hang on it.
type Reach struct {
	Imported string `json:"imported"` // yes, no, unknown
	Package  string `json:"package"`
	Path     string `json:"path"` // the file that imports it
	Line     int64  `json:"line"`
	Why      string `json:"why"` // it is not imported, or that is not known
}

// Check is what one check found.
type Check struct {
	State    verdict.State `json:"state"`
	At       Time          `json:"at"`
	By       string        `json:"by"`
	Complete bool          `json:"complete"` // false: something that should have been read was not
	Inputs   int64         `json:"inputs"`   // files that mattered
	Ignored  int64         `json:"ignored"`  // stated to be false positives in a protected file
	Failed   []Hit         `json:"failed"`
}

// Hit is one thing that a check found.
type Hit struct {
	Key      string           `json:"key"` // what an exception names
	Detector string           `json:"detector"`
	Message  string           `json:"message"`
	Severity verdict.Severity `json:"severity"`
	Path     string           `json:"path"`
	Line     int64            `json:"line"`
	Fix      string           `json:"fix"`
	Old      bool             `json:"old"` // the base of the change has it as well
	Evidence verdict.Digest   `json:"evidence"`
}

// Change is the commit or pull request behind the subject. People are ids of the map's
// directory; one that it does not know has a word that names nobody.
type Change struct {
	State     verdict.State `json:"state"`
	Author    string        `json:"author"` // of the last commit
	Committer string        `json:"committer"`
	// Contributors are the authors, co-authors and committers of every commit.
	Contributors []Contributor    `json:"contributors"`
	Commits      int64            `json:"commits"`
	Unsigned     []UnsignedCommit `json:"unsigned"`
	Lines        int64            `json:"lines"` // added and removed; -1 when unknown
	Files        []string         `json:"files"` // changed paths
	IaCTouched   bool             `json:"iac_touched"`
	Evidence     verdict.Digest   `json:"evidence"`
}

// Contributor had a hand in a change.
type Contributor struct {
	ID    string `json:"id"`
	Known bool   `json:"known"` // somebody of the map's directory, or the forge itself
}

// UnsignedCommit is one that is not known to be signed by its committer.
type UnsignedCommit struct {
	ID     verdict.Digest `json:"id"`
	Why    string         `json:"why"`
	Remedy string         `json:"remedy"`
}

// Ownership is who owns the changed paths, by the files of the change's base.
type Ownership struct {
	State     verdict.State   `json:"state"`
	Paths     int64           `json:"paths"`  // changed paths that were judged
	Owners    []string        `json:"owners"` // of any of them
	Unowned   []UnownedPath   `json:"unowned"`
	Disputed  []DisputedPath  `json:"disputed"`
	Protected []ProtectedPath `json:"protected"`
	Evidence  verdict.Digest  `json:"evidence"`
}

// UnownedPath is one that nobody owns.
type UnownedPath struct {
	Path string `json:"path"`
	// Brought says whom the change's own files name, which does not count; "" for nobody.
	Brought string `json:"brought"`
}

// DisputedPath is one of which two sources name different owners.
type DisputedPath struct {
	Path   string `json:"path"`
	Claims string `json:"claims"` // who says what, for people
}

// ProtectedPath is a changed path that says who decides or what is checked.
type ProtectedPath struct {
	Path    string   `json:"path"`
	Own     bool     `json:"own"` // its owners are named for it, and not for all that there is
	Owners  []string `json:"owners"`
	Persons []string `json:"persons"` // the owners whom the map knows
}

// Review is what a forge knows of the review of the change.
type Review struct {
	State       verdict.State      `json:"state"`
	Request     string             `json:"request"`
	Author      string             `json:"author"` // who asked for the change
	AuthorKnown bool               `json:"author_known"`
	Head        verdict.Digest     `json:"head"`
	Required    int64              `json:"required"` // approvals that the target demands; -1 when unknown
	Approvals   []ApprovalOfChange `json:"approvals"`
	Objecting   []string           `json:"objecting"` // who asks for changes
	Merged      bool               `json:"merged"`
	MergedBy    string             `json:"merged_by"`
	MergerKnown bool               `json:"merger_known"`
	MergerBot   bool               `json:"merger_bot"`
	Bypassed    bool               `json:"bypassed"`   // the merge overrode the protection
	Protection  []string           `json:"protection"` // what the forge enforces on the target
	Evidence    verdict.Digest     `json:"evidence"`
}

// ApprovalOfChange is one account's yes to a change.
type ApprovalOfChange struct {
	Person   string `json:"person"`
	Known    bool   `json:"known"`
	Bot      bool   `json:"bot"`
	Standing string `json:"standing"` // stands, stale, dismissed, unknown
}

// Plan is an infrastructure plan.
type Plan struct {
	State   verdict.State  `json:"state"`
	Digest  verdict.Digest `json:"digest"`
	Tool    string         `json:"tool"`
	Create  int64          `json:"create"`
	Update  int64          `json:"update"`
	Replace int64          `json:"replace"`
	Delete  int64          `json:"delete"`
	// Partial: the plan says of itself that more is to be planned after it was applied.
	Partial bool `json:"partial"`
	// Providers, Accounts and Regions are those that are known to be reached.
	Providers []string          `json:"providers"`
	Accounts  []string          `json:"accounts"`
	Regions   []string          `json:"regions"`
	Resources []PlannedResource `json:"resources"`
	Evidence  verdict.Digest    `json:"evidence"`
}

// PlannedResource is what a plan does to one resource.
type PlannedResource struct {
	Address  string `json:"address"`
	Type     string `json:"type"`
	Provider string `json:"provider"`
	Action   string `json:"action"`  // create, update, replace, delete, forget
	Class    string `json:"class"`   // identity, network, data, other
	Account  string `json:"account"` // "" when the plan does not tell
	Region   string `json:"region"`  // "" when the plan does not tell, or it has none
}

// Evidence names one statement.
type Evidence struct {
	Kind     verdict.Kind   `json:"kind"`
	Digest   verdict.Digest `json:"digest"`
	Index    int64          `json:"index"`
	At       Time           `json:"at"`
	Producer string         `json:"producer"`
}

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
	State  verdict.State `json:"state"` // unknown where the map does not know the account
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
