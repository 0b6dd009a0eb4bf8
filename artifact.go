package verdict

import (
	"encoding/json"
	"time"
)

// Image is what a registry says of a digest: the identity of what is promoted. A tag was
// resolved once; what is recorded and decided on is the digest.
type Image struct {
	Name      string `json:"name"` // the repository, without tag and digest
	Digest    Digest `json:"digest"`
	MediaType string `json:"media_type"`
	Tag       string `json:"tag"` // that it was asked by; empty for a digest
	Size      int64  `json:"size"`
	// Index is the digest of the index through which this manifest was found; empty when it
	// was asked for by itself.
	Index Digest `json:"index,omitempty"`
	// Platforms are the manifests of an index, sorted; empty for one manifest.
	Platforms []Platform `json:"platforms"`
	// Created is when its configuration says that it was built; zero: it does not say.
	Created time.Time `json:"created,omitzero"`
	Base    BaseImage `json:"base"`
	// Moved is set where Tag was recorded to name another digest before.
	Moved *TagMove `json:"moved,omitempty"`
}

// TagMove is what a tag was recorded to name before it named another digest.
type TagMove struct {
	From  Digest `json:"from"`
	Entry int64  `json:"entry"` // of the ledger that recorded it
}

// Platform is one manifest of an index.
type Platform struct {
	OS           string `json:"os"`
	Architecture string `json:"architecture"`
	Variant      string `json:"variant"`
	Digest       Digest `json:"digest"`
}

// BaseImage is what an image says that it was built on. Nothing about it is proved.
type BaseImage struct {
	State   State     `json:"state"` // present, or missing where the image does not say
	Name    string    `json:"name"`
	Digest  Digest    `json:"digest,omitempty"`
	Created time.Time `json:"created,omitzero"` // zero: not known
}

// Provenance is what a builder states of a build, in one form for every version of SLSA
// provenance (v0.1, v0.2, v1).
type Provenance struct {
	PredicateType string `json:"predicate_type"`
	BuildType     string `json:"build_type"`
	Builder       string `json:"builder"` // its id, a URI
	Invocation    string `json:"invocation"`
	// Source is the repository that the build began from, as an address without ref and
	// commit; empty where it does not say.
	Source string `json:"source"`
	Ref    string `json:"ref"`    // refs/heads/main, refs/tags/v1.2.3; empty: not said
	Commit Digest `json:"commit"` // gitCommit:…; empty: not said
	// Parameters are what somebody outside of the builder could set, sorted by name.
	Parameters []Parameter `json:"parameters"`
	// ParametersTold is false where the statement must name them and does not: none and not
	// told are two things.
	ParametersTold bool `json:"parameters_told"`
	// Materials are everything that the build says it read, in its order.
	Materials []Material `json:"materials"`
	Started   time.Time  `json:"started,omitzero"`
	Finished  time.Time  `json:"finished,omitzero"`
}

// Parameter is one external parameter of a build.
type Parameter struct {
	Name  string          `json:"name"`
	Value json.RawMessage `json:"value"`
}

// Material is one thing that a build read.
type Material struct {
	URI     string   `json:"uri"`
	Digests []Digest `json:"digests"` // those that Verdict accepts, sorted
}

// Requester is who asks for a deployment.
type Requester struct {
	// Person is the id of a person of the map's directory, or a word that stands for an
	// account that it does not know.
	Person string   `json:"person"`
	Kind   string   `json:"kind"` // "person" or "workload"
	Known  bool     `json:"known"`
	Teams  []string `json:"teams"`
	// Claimed is the workload whose word alone it is that this person asks, where its token
	// names nobody; empty: it is proved. A claim bars whom it names and gives him nothing.
	Claimed string `json:"claimed,omitempty"`
}

// Deployment says that an artifact was put into an environment, as the one that did it
// states.
type Deployment struct {
	// Decision is the promotion that let it in; empty: none is named, which is not the same
	// as none was needed.
	Decision    string    `json:"decision"`
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Name        string    `json:"name"`   // of the artifact, without tag and digest
	Digest      Digest    `json:"digest"` // of the artifact
	At          time.Time `json:"at"`
	Run         string    `json:"run"`
	Rollback    bool      `json:"rollback"`
}

// Result is what became of a deployment.
type Result string

// The results.
const (
	ResultDeployed   Result = "deployed"
	ResultFailed     Result = "failed"
	ResultRolledBack Result = "rolled-back"
	ResultIncident   Result = "incident"
)

// Valid reports whether r is one of the results.
func (r Result) Valid() bool {
	return r == ResultDeployed || r == ResultFailed || r == ResultRolledBack || r == ResultIncident
}

// Aftermath is what came of a deployment: the evidence of kind outcome.
type Aftermath struct {
	Decision    string    `json:"decision"` // the promotion; empty: not named
	Environment string    `json:"environment"`
	Service     string    `json:"service"`
	Name        string    `json:"name"`
	Digest      Digest    `json:"digest"`
	Result      Result    `json:"result"`
	At          time.Time `json:"at"`
	Detail      string    `json:"detail"` // what happened, for people
	Link        string    `json:"link"`   // the incident or run
}

// StoredBill stands for a bill of materials that cannot be a predicate itself, because it is
// no JSON or too large: it lies as a blob under Digest, byte for byte as it came.
type StoredBill struct {
	Form       string `json:"form"`     // CycloneDX, SPDX
	Version    string `json:"version"`  // of the form
	Encoding   string `json:"encoding"` // json, xml, tag-value
	Digest     Digest `json:"digest"`   // sha256 of its bytes
	Size       int64  `json:"size"`     // bytes
	Components int64  `json:"components"`
	Inventory  string `json:"inventory"` // complete, incomplete, unknown
}

// FindingVulnerable is the kind of finding, and the point, for a vulnerability that became
// known of what runs.
const FindingVulnerable = "runtime.vulnerable"

// Finding is a risk of something that runs. Statements with one fingerprint are one
// finding: the last word of who opened it, or of whom the map trusts, says how it stands.
type Finding struct {
	Kind        string       `json:"kind"`
	State       FindingState `json:"state"`
	Fingerprint Digest       `json:"fingerprint"`
	Environment string       `json:"environment"`
	Service     string       `json:"service"`
	Name        string       `json:"name"`   // of the artifact
	Digest      Digest       `json:"digest"` // of the artifact
	// Decision let it in: the one that the deployment names, or that stood then; empty: none
	// did, as far as the log tells.
	Decision string `json:"decision"`
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
