package verdict

import "time"

// SubjectKind says what a statement is about.
type SubjectKind string

// The kinds of subject.
const (
	SubjectChange     SubjectKind = "change"     // a git commit
	SubjectTree       SubjectKind = "tree"       // an uncommitted tree: the digest of the manifest that was read
	SubjectPlan       SubjectKind = "plan"       // sha256 of an infrastructure plan
	SubjectArtifact   SubjectKind = "artifact"   // a digest
	SubjectDeployment SubjectKind = "deployment" // an artifact in an environment
	SubjectResource   SubjectKind = "resource"   // a cloud key
	SubjectIdentity   SubjectKind = "identity"   // a person, key or workload
	SubjectLog        SubjectKind = "log"        // a transparency log, for receipts and epochs
)

// Subject is what a statement or decision is about. Subjects join by digest, never by
// name. A resource or identity has the sha256 of its canonical key as digest.
type Subject struct {
	Kind   SubjectKind `json:"kind"`
	Name   string      `json:"name"`
	Digest Digest      `json:"digest"`
	// Also holds further digests of the same thing, sorted: a change has its gitTree
	// here, so that the trail survives a squash.
	Also []Digest `json:"also,omitempty"`
}

// Kind is a kind of evidence: what happened, independent of the tool that saw it.
type Kind string

// The kinds. The predicate type of each is in package evidence.
const (
	KindSBOM            Kind = "sbom"
	KindImage           Kind = "image" // what a registry says of a digest
	KindProvenance      Kind = "provenance"
	KindSignature       Kind = "signature"   // somebody signed a digest, and says nothing else of it
	KindTestResult      Kind = "test-result" // a check ran; its name is Report.Check
	KindVulnerabilities Kind = "vulnerabilities"
	KindVEX             Kind = "vex"
	KindVSA             Kind = "vsa"
	KindOwnership       Kind = "ownership"
	KindChangeReview    Kind = "change-review"
	KindIgnore          Kind = "ignore"
	KindDecision        Kind = "decision"
	KindApproval        Kind = "approval"
	KindException       Kind = "exception"
	KindBreakGlass      Kind = "break-glass"
	KindDeployment      Kind = "deployment"
	KindOutcome         Kind = "outcome"
	KindObservation     Kind = "observation"
	KindIntent          Kind = "intent"
	KindFinding         Kind = "finding"
	KindProposal        Kind = "proposal"
	KindPolicyRelease   Kind = "policy-release"
	KindMapRelease      Kind = "map-release"
	KindModeChange      Kind = "mode-change"
	KindRoleChange      Kind = "role-change"
	KindAccess          Kind = "access" // tokens, sessions and actors of a control plane
	KindKey             Kind = "key"
	KindIngestion       Kind = "ingestion"
	KindReceipt         Kind = "receipt"
	KindEpoch           Kind = "epoch"
	KindAdmission       Kind = "admission"
	KindAccessReview    Kind = "access-review"
	KindTombstone       Kind = "tombstone"
	KindHold            Kind = "hold"
	KindControlResult   Kind = "control-result"
	KindOther           Kind = "other" // a predicate type that Verdict has no word for
)

// Context is what every statement of ours says about its origin, under one URI-named
// field of the predicate.
type Context struct {
	Service     string `json:"service"`
	Team        string `json:"team"`
	Environment string `json:"environment"` // empty in code, ci and artifact
	Point       string `json:"point"`
	Run         string `json:"run"`   // the pipeline run, if any
	Actor       string `json:"actor"` // an opaque id; names live in the erasable directory
	// At is when the producer says that it happened, UTC, microseconds.
	At        time.Time `json:"at"`
	Retention string    `json:"retention"` // a class: log, release, change, ops, personal
	// Nonce is 16 random bytes, so that a leaf whose body was pruned confirms nothing.
	Nonce []byte `json:"nonce"`
}

// Ref names one piece of evidence in the ledger.
type Ref struct {
	Kind     Kind      `json:"kind"`
	Digest   Digest    `json:"digest"` // sha256 of the signed payload
	Index    int64     `json:"index"`  // position in the log, from 0
	At       time.Time `json:"at"`
	Producer string    `json:"producer"` // key id or certificate identity
}

// Report is what a check looked at, what it found, and what it did not look at. It
// travels in the predicate of the check's evidence.
type Report struct {
	Check string `json:"check"` // "secrets", "vulnerabilities"
	Tool  Tool   `json:"tool"`
	// Source is the tool's name in the map where another tool than Verdict ran; empty for
	// what Verdict found itself.
	Source   string    `json:"source,omitempty"`
	Database *Database `json:"database,omitempty"` // nil for a check that needs none
	Scope    Scope     `json:"scope"`
	// Complete is false when something that should have been read was not. An
	// incomplete report without hits is not a clean one.
	Complete   bool         `json:"complete"`
	NotChecked []NotChecked `json:"not_checked"`
	Hits       []Hit        `json:"hits"`
	// Ignored counts hits that a protected ignore file states to be false positives.
	Ignored int64 `json:"ignored"`
	// Base is the commit that hits were compared with, to tell old ones from new ones;
	// empty where there was none, and then no hit is old.
	Base Digest `json:"base,omitempty"`
	// Change is what the check "change" tells; nil for every other.
	Change *Change `json:"change,omitempty"`
	// Plan is what the check "iac-plan" tells; nil for every other.
	Plan *Plan `json:"plan,omitempty"`
	// History is what was searched besides the tree; nil when nothing was.
	History *History `json:"history,omitempty"`
}

// Plan is what an infrastructure plan would do, as far as it says so.
type Plan struct {
	Tool    string `json:"tool"` // terraform 1.9.8
	Create  int64  `json:"create"`
	Update  int64  `json:"update"`
	Replace int64  `json:"replace"`
	Delete  int64  `json:"delete"`
	Forget  int64  `json:"forget"`
	// Partial: more is to be planned after it was applied.
	Partial bool `json:"partial"`
	// Commit is the one whose tree it was planned from; empty where the tree held anything
	// else, or that was not known.
	Commit Digest `json:"commit,omitempty"`
	// Providers, Accounts and Regions are those that it is known to reach, sorted.
	Providers []string          `json:"providers"`
	Accounts  []string          `json:"accounts"`
	Regions   []string          `json:"regions"`
	Resources []PlannedResource `json:"resources"` // that would change, in the plan's order
}

// PlannedResource is what a plan does to one resource.
type PlannedResource struct {
	Address  string `json:"address"`
	Type     string `json:"type"`
	Provider string `json:"provider"` // azurerm, aws, google …
	Action   string `json:"action"`   // create, update, replace, delete, forget
	Class    string `json:"class"`    // identity, network, data, other
	Account  string `json:"account"`  // empty: the plan does not tell
	Region   string `json:"region"`   // empty: the plan does not tell, or it has none
}

// History is a range of commits and what a check read of it.
type History struct {
	From     Digest `json:"from,omitempty"` // gitCommit:…; empty for all of To's history
	To       Digest `json:"to"`
	Commits  int64  `json:"commits"`
	Contents int64  `json:"contents"` // read and searched in this run
	// Remembered were searched by the same rules before, and were clean.
	Remembered int64 `json:"remembered"`
	Bytes      int64 `json:"bytes"`
}

// Tool names what ran.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
	Rules   Digest `json:"rules,omitempty"` // digest of the rule set, if it has one
}

// Database names the data that a check rested on.
type Database struct {
	Name    string    `json:"name"`
	Digest  Digest    `json:"digest"`
	At      time.Time `json:"at"` // when the data was published or last confirmed
	Entries int64     `json:"entries"`
	// Ecosystems that the data covers, sorted.
	Ecosystems []string `json:"ecosystems"`
}

// Scope is what a check read.
type Scope struct {
	Path string `json:"path"` // relative to the repository's root; "." for all of it
	// Paths are the files and folders below Path that were read, and nothing else; empty
	// for everything below it. A report with some speaks for no other part of a commit.
	Paths      []string `json:"paths,omitempty"`
	Files      int64    `json:"files"` // files read
	Bytes      int64    `json:"bytes"`
	Inputs     int64    `json:"inputs"`     // files that mattered: lockfiles, for a vulnerability match
	Components int64    `json:"components"` // components judged
}

// NotChecked is one thing that a check did not look at, and why. Blocks is true when
// the check is incomplete because of it; a file that is ignored by design blocks nothing.
type NotChecked struct {
	Path   string `json:"path"`
	Reason string `json:"reason"`
	Blocks bool   `json:"blocks"`
}

// Hit is one thing that a check found. It never holds a secret.
type Hit struct {
	// Key is stable across runs and unique within the report: what an ignore or an
	// exception names.
	Key      string   `json:"key"`
	Detector string   `json:"detector"` // the tool's rule, or the advisory's id
	Message  string   `json:"message"`
	Severity Severity `json:"severity"`
	Path     string   `json:"path"`
	Line     int64    `json:"line"` // from 1; 0 when unknown
	Fix      string   `json:"fix"`
	// Old: the base of the change has it as well. What cannot be told is not old.
	Old           bool           `json:"old"`
	Vulnerability *Vulnerability `json:"vulnerability,omitempty"`
	// Pattern is equal for the same risk under another name and in another place; empty for
	// what has none.
	Pattern string `json:"pattern,omitempty"`
	// Recurs says that the same pattern was found before and was gone since; nil where it
	// was not, or that cannot be told.
	Recurs *Recurrence `json:"recurs,omitempty"`
	// Commit is where a secret was added that was found in history; empty for the tree.
	Commit Digest `json:"commit,omitempty"`
	// PublicID names the public half of what leaked, which stands in logs of its use, as
	// kind:id: aws-access-key:AKIA…, azure-client:GUID, azure-key-name:NAME,
	// gcp-key:EMAIL/KEYID, or public-key:sha256:HEX over the SubjectPublicKeyInfo of a
	// private key. Empty when there is none or it is not known.
	PublicID string `json:"public_id,omitempty"`
}

// Recurrence is where a pattern was found before, and what took it out.
type Recurrence struct {
	Path  string `json:"path"`
	Line  int64  `json:"line"`  // from 1; 0 when unknown
	Found Digest `json:"found"` // of the last change that still had it
	Gone  Digest `json:"gone"`  // of the first change that was checked without it
}

// Component is one package in one version. The ecosystem is OSV's word: Go, npm, PyPI,
// crates.io, Maven.
type Component struct {
	Ecosystem string `json:"ecosystem"`
	Name      string `json:"name"`
	Version   string `json:"version"`
	PURL      string `json:"purl"` // canonical package URL
}

// Vulnerability is one advisory that applies to one component.
type Vulnerability struct {
	ID        string    `json:"id"`
	Aliases   []string  `json:"aliases"` // sorted, without ID
	Component Component `json:"component"`
	Summary   string    `json:"summary"`   // one line of the advisory, shortened; never trusted text
	Severity  Severity  `json:"severity"`  // the worst that an advisory of the group states; unknown when none does
	Fixed     string    `json:"fixed"`     // lowest version above ours that is not affected; empty when there is none
	Exploited bool      `json:"exploited"` // in CISA's known exploited vulnerabilities catalogue
	EPSS      int64     `json:"epss"`      // parts per million, -1 when unknown
	Malicious bool      `json:"malicious"`
	Direct    bool      `json:"direct"`
	Path      []string  `json:"path"` // from the root to the component, where the lockfile tells
	// Packages are the parts of the component that are affected, as their language imports
	// them, sorted; empty where no advisory tells.
	Packages []string `json:"packages,omitempty"`
	Reach    *Reach   `json:"reach,omitempty"` // nil: nobody looked
}

// Whether a part of a component is imported.
const (
	ReachYes     = "yes"
	ReachNo      = "no" // known: all that could import it was seen
	ReachUnknown = "unknown"
)

// Reach says whether what is affected of a component is imported. It orders work and
// never excuses: a locked version with a fix is avoidable whether it is reached or not.
type Reach struct {
	Imported string `json:"imported"` // ReachYes, ReachNo, ReachUnknown
	Package  string `json:"package"`  // that is imported, or ""
	Path     string `json:"path"`     // the file that imports it, or ""
	Line     int64  `json:"line"`     // from 1; 0 when unknown
	Why      string `json:"why"`      // it is not imported, or that is not known
}
