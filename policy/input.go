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
