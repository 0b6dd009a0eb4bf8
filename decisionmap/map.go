// Package decisionmap reads the decision map: the file that says where security
// decisions are taken, what each of them asks, in which mode it acts, which evidence
// it needs and leaves, and who may state what. The same file is linted, compared,
// drawn and executed, so that the picture of the architecture cannot lie.
//
// An organisation map holds environments, points, trust, people, policies and
// sources. A repository's verdict.yaml may only declare what it is (service, team,
// paths, infrastructure) or tighten. A change is judged by the map of its merge base
// or the released one, never by its own: see Resolve.
//
// A Map that Load, Builtin, Merge or Resolve gave is not changed afterwards and may be
// read by many goroutines at once.
package decisionmap

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	jcs "github.com/cyberphone/json-canonicalization/go/src/webpki.org/jsoncanonicalizer"
	"go.yaml.in/yaml/v3"

	"verdict"
)

// Schema is the only schema that this version reads.
const Schema = "verdict/v1"

// FileName is the name under which a repository keeps its map.
const FileName = "verdict.yaml"

// Map is a decision map with every default filled in. Its JSON form has the keys of the
// file and can be loaded again; it gives a map with the same digest.
type Map struct {
	Schema       string `json:"schema"`
	Organization string `json:"organization,omitempty"` // empty in a repository's file
	// Adopting puts every point whose mode the file does not state into observe, and
	// lets VD-E04, VD-G01 and VD-G02 warn until AdoptingUntil.
	Adopting      bool      `json:"adopting"`
	AdoptingUntil time.Time `json:"adopting_until,omitzero"`

	Policies     Policies               `json:"policies"`
	Environments map[string]Environment `json:"environments"`
	Services     map[string]Service     `json:"services"`
	Points       []Point                `json:"points"` // built-in points first, then the file's own, in its order
	Trust        []Trust                `json:"trust"`
	Builders     []Builder              `json:"builders,omitempty"` // in the order in which they are tried
	People       map[string]Person      `json:"people"`
	Exceptions   Exceptions             `json:"exceptions"`
	BreakGlass   *BreakGlass            `json:"break_glass,omitempty"` // nil: nobody may
	Retention    Retention              `json:"retention"`
	Sources      map[string]Source      `json:"sources"`
	Dependencies Dependencies           `json:"dependencies,omitzero"`
	Modules      *Modules               `json:"modules,omitempty"`  // nil: code may call any
	Admission    Admission              `json:"admission,omitzero"` // what a cluster is answered where no environment says it

	doc      *yaml.Node        // what the file itself says, for Merge
	origins  map[string]Origin // path → where its value was said; absent: a default
	name     string            // of the file, for messages
	released bool              // given to Resolve as the released map
}

// Policies names the policy bundle.
type Policies struct {
	// Bundle is "builtin", "released", or a path or reference that ends in @sha256:…: see
	// Beside.
	Bundle string `json:"bundle,omitempty"`
	Verify Verify `json:"verify"`
}

// BuiltinBundle is the bundle that the program itself carries: pinned by its release.
const BuiltinBundle = "builtin"

// ReleasedBundle is the bundle that two persons released: pinned by their release, and
// decides nothing before there is one.
const ReleasedBundle = "released"

// Verify names the signer of a bundle: a key, or an identity with its issuer.
type Verify struct {
	Issuer  string `json:"issuer,omitempty"`
	Subject string `json:"subject,omitempty"`
	Key     string `json:"key,omitempty"`
}

// Service is something that is built and run, with the team that answers for it.
type Service struct {
	Team         string   `json:"team,omitempty"`
	Owner        string   `json:"owner,omitempty"`
	Repo         string   `json:"repo,omitempty"`
	Tier         string   `json:"tier,omitempty"` // how much hangs on it, in the organisation's words
	Paths        []string `json:"paths"`          // of the repository, "." for all of it
	IaC          []string `json:"iac"`            // folders with infrastructure code
	Environments []string `json:"environments"`
	// SignedCommits asks for a verified signature on each commit of a change.
	SignedCommits bool `json:"signed_commits,omitzero"`
}

// Folders are what of the repository belongs to the service, its infrastructure included,
// sorted; "." alone where that is all of it.
func (s Service) Folders() []string {
	out := []string{}
	for _, p := range slices.Concat(s.Paths, s.IaC) {
		if p = path.Clean(p); p == "." {
			return []string{"."}
		}
		out = append(out, p)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Point is a decision point: one question, asked at one place, in one mode.
type Point struct {
	ID       string        `json:"id"`
	Layer    verdict.Layer `json:"layer,omitempty"`
	Question string        `json:"question,omitempty"`
	Mode     verdict.Mode  `json:"mode"`
	// EnforceFrom is the day from which the point blocks; until then Mode holds.
	EnforceFrom time.Time `json:"enforce_from,omitzero"`
	// OldFrom is the day from which a ci point judges what the base of a change has as
	// well; until then that is told and does not block. Zero: it blocks now.
	OldFrom time.Time `json:"old_from,omitzero"`
	// Since is the day from which the mode holds, as far as the file says it.
	Since        time.Time `json:"since,omitzero"`
	At           string    `json:"at,omitempty"` // system/place: replaceable, unlike id and question
	Needs        []Need    `json:"needs"`
	Policy       []string  `json:"policy"` // selectors of rules
	AllowPartial bool      `json:"allow_partial"`
	Produces     Produces  `json:"produces"`
	Owner        string    `json:"owner,omitempty"`
	Feeds        []string  `json:"feeds"` // earlier points, or Backlog
	Review       *Review   `json:"review,omitempty"`
}

// Backlog is the one target of feeds that is no point.
const Backlog = "backlog"

// TeamOwner as owner of a point stands for the team of the service that is judged.
const TeamOwner = "team"

// ModeAt is the mode that holds at t: block from EnforceFrom on.
func (p Point) ModeAt(t time.Time) verdict.Mode {
	if !p.EnforceFrom.IsZero() && !t.Before(p.EnforceFrom) {
		return verdict.ModeBlock
	}
	return p.Mode
}

// Need is evidence that a point rests on: the name of a check, a kind of evidence, or
// what an earlier point leaves.
type Need struct {
	Kind string `json:"kind"`
	// Accept is verified, or present where a statement of an unknown producer will do.
	Accept verdict.State `json:"accept"`
	// MaxAge beyond which the evidence is stale; zero: that of its source. See Map.MaxAge.
	MaxAge Duration `json:"max_age,omitzero"`
}

// Produces is what a point leaves behind.
type Produces struct {
	Kind   string   `json:"kind,omitempty"`
	Retain Duration `json:"retain,omitzero"`
}

// Review says who may lift a point's review reasons, and under which conditions.
type Review struct {
	Approvers   []string `json:"approvers"`
	Count       int64    `json:"count"`
	Not         []string `json:"not"`      // who may not approve: author, requester, …
	Requires    []string `json:"requires"` // what an approval must say: scope, rationale, expiry
	MaxValidity Duration `json:"max_validity,omitzero"`
}

// Exceptions limits what an exception may be. Exceptions themselves are evidence.
type Exceptions struct {
	Requires    []string `json:"requires"`
	MaxValidity Duration `json:"max_validity,omitzero"`
	ApproverNot []string `json:"approver_not"`
	Approvers   []string `json:"approvers"` // empty: any enrolled person whom ApproverNot does not exclude
}

// BreakGlass limits an emergency yes.
type BreakGlass struct {
	Who          []string `json:"who"`
	Requires     []string `json:"requires"`
	MaxValidity  Duration `json:"max_validity,omitzero"`
	ReviewWithin Duration `json:"review_within,omitzero"`
	Notify       []string `json:"notify"`
}

// Retention says how long evidence is kept.
type Retention struct {
	Default  Duration `json:"default,omitzero"`
	Minimum  Duration `json:"minimum,omitzero"`
	AuditLog Duration `json:"audit_log,omitzero"`
}

// Source is a tool and the kinds of evidence that it yields. It is replaceable.
type Source struct {
	Kinds []string `json:"kinds"`
	// MaxAge tells stale from fresh; zero: never stale.
	MaxAge Duration `json:"max_age,omitzero"`
	// Command is what the map says to run. Take it from Map.Command, which gives it for
	// a released map only.
	Command []string `json:"command,omitempty"`
	// Format is the form in which the command prints what it found: one of Formats.
	Format string `json:"format,omitempty"`
	// SHA256 pins the program's file, in hex; empty: whatever is installed runs.
	SHA256  string   `json:"sha256,omitempty"`
	Timeout Duration `json:"timeout,omitzero"` // of one run; zero without a command
	Primary bool     `json:"primary"`          // where several sources yield one kind
	// OnDemand: the command runs where somebody asks for it with --reach, and not in every
	// run: what it tells takes long.
	OnDemand bool `json:"on_demand,omitzero"`
}

// Person joins the accounts of one human being.
type Person struct {
	Name     string              `json:"name,omitempty"`
	Teams    []string            `json:"teams"`
	Accounts map[string][]string `json:"accounts"` // system → accounts
}

// Point finds a point by its id.
func (m *Map) Point(id string) (Point, bool) {
	for _, p := range m.Points {
		if p.ID == id {
			return p, true
		}
	}
	return Point{}, false
}

// Canonical is the map as canonical JSON (RFC 8785): what Digest covers, and what
// evidence of a decision keeps.
func (m *Map) Canonical() ([]byte, error) {
	b, err := canonical(m)
	if err != nil {
		return nil, fmt.Errorf("canonical form of map %s: %w", m.name, err)
	}
	return b, nil
}

// Digest identifies the map with every default filled in. Line numbers, comments and
// the order of keys do not change it.
func (m *Map) Digest() verdict.Digest { return digestOf(m) }

// Digest identifies the point as it stands in this map.
func (p Point) Digest() verdict.Digest { return digestOf(p) }

func canonical(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	if err != nil {
		return nil, err
	}
	return jcs.Transform(b)
}

// digestOf panics on a value that JSON cannot hold: the types above are all plain.
func digestOf(v any) verdict.Digest {
	b, err := canonical(v)
	if err != nil {
		panic("decisionmap: " + err.Error())
	}
	sum := sha256.Sum256(b)
	return verdict.NewDigest("sha256", hex.EncodeToString(sum[:]))
}
