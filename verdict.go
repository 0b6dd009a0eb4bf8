// Package verdict is the vocabulary of a DevSecOps control plane: the words that
// code, command line, API and pages share, and the rules that belong to the words
// themselves. It does no I/O and imports the standard library only.
//
// The words are those of docs and of the decision map: layers hold decision points,
// a point answers one question about a subject from evidence, the answer is a
// decision with reasons, and accepted risk is an exception, an approval or a
// break-glass.
package verdict

import (
	"fmt"
	"strings"
)

// Layer is one of the six layers of the reference architecture.
type Layer string

// The layers, in the order in which a change passes them.
const (
	LayerCode       Layer = "code"
	LayerCI         Layer = "ci"
	LayerArtifact   Layer = "artifact"
	LayerDeploy     Layer = "deploy"
	LayerRuntime    Layer = "runtime"
	LayerGovernance Layer = "governance"
)

// Layers lists the layers from commit to audit.
var Layers = []Layer{LayerCode, LayerCI, LayerArtifact, LayerDeploy, LayerRuntime, LayerGovernance}

// Index is the layer's place in Layers, or -1 for a word that is no layer.
func (l Layer) Index() int {
	for i, x := range Layers {
		if x == l {
			return i
		}
	}
	return -1
}

// SeesEnvironment reports whether points of the layer may read environment,
// promotions, runtime state and requester. Code, ci and artifact may not: what they
// answer must hold wherever the artifact runs later.
func (l Layer) SeesEnvironment() bool {
	return l == LayerDeploy || l == LayerRuntime || l == LayerGovernance
}

// Mode says what a decision point does with its outcome.
type Mode string

// The modes, from the weakest.
const (
	ModeObserve Mode = "observe" // recorded
	ModeWarn    Mode = "warn"    // recorded and told
	ModeBlock   Mode = "block"   // enforced
)

// Valid reports whether m is one of the three modes.
func (m Mode) Valid() bool { return m == ModeObserve || m == ModeWarn || m == ModeBlock }

// Outcome is what a decision concluded, or what was enforced of it.
type Outcome string

// The outcomes, in the order in which they join: the later one wins.
const (
	Allow     Outcome = "allow"
	Review    Outcome = "review" // a person has to say yes
	Deny      Outcome = "deny"
	Undecided Outcome = "error" // could not decide; enforced as deny
)

func (o Outcome) rank() int {
	switch o {
	case Allow:
		return 0
	case Review:
		return 1
	case Deny:
		return 2
	}
	return 3 // Undecided, and any word that we do not know: never better than deny
}

// Join is the stricter of two outcomes. It is commutative, associative and
// idempotent, with Allow as its identity.
func (o Outcome) Join(p Outcome) Outcome {
	if p.rank() > o.rank() {
		return p
	}
	return o
}

// Enforce caps an outcome by the mode of its point: only block enforces, and there an
// error denies. The outcome itself is never changed by the mode.
func (m Mode) Enforce(o Outcome) Outcome {
	if m != ModeBlock && m.Valid() {
		return Allow
	}
	if o.rank() >= Deny.rank() {
		return Deny
	}
	return o
}

// State says how well a group of facts is known. Only Verified passes on its own;
// Present passes where the point's need accepts it.
type State string

// The states. There is no "ok": not to know is a state of its own.
const (
	StateVerified State = "verified" // stated by a trusted producer, signature checked
	StatePresent  State = "present"  // stated, but not by a trusted producer
	StateMissing  State = "missing"  // nobody stated it
	StateStale    State = "stale"    // stated, older than max_age
	StateFailed   State = "failed"   // the check ran and could not finish
	StateUnknown  State = "unknown"  // cannot be told
)

// Effect is what a failing rule asks for.
type Effect string

// The effects. A note is told and counts as allow.
const (
	EffectDeny   Effect = "deny"
	EffectReview Effect = "review"
	EffectNote   Effect = "note"
)

// Outcome of a rule with this effect that fails; an unknown effect denies.
func (e Effect) Outcome() Outcome {
	switch e {
	case EffectNote:
		return Allow
	case EffectReview:
		return Review
	}
	return Deny
}

// Severity orders findings and rules for people. It never decides.
type Severity string

// The severities. SeverityUnknown sorts above Low: not to know is no comfort.
const (
	SeverityCritical Severity = "critical"
	SeverityHigh     Severity = "high"
	SeverityMedium   Severity = "medium"
	SeverityUnknown  Severity = "unknown"
	SeverityLow      Severity = "low"
	SeverityInfo     Severity = "info"
)

// Rank orders severities, worst first, from 0.
func (s Severity) Rank() int {
	for i, x := range []Severity{SeverityCritical, SeverityHigh, SeverityMedium, SeverityUnknown, SeverityLow, SeverityInfo} {
		if x == s {
			return i
		}
	}
	return SeverityUnknown.Rank()
}

// Digest identifies content: an algorithm, a colon and lower-case hex. The zero value
// identifies nothing.
type Digest string

// digestHex gives the accepted algorithms and the length of their hex form. md5 and
// sha1 alone are refused; git commits and trees name themselves.
var digestHex = map[string][]int{
	"sha256": {64}, "sha384": {96}, "sha512": {128}, "gitCommit": {40, 64}, "gitTree": {40, 64},
}

// NewDigest joins algorithm and hex without checking them; see ParseDigest.
func NewDigest(algorithm, hex string) Digest { return Digest(algorithm + ":" + hex) }

// ParseDigest reads "sha256:…", "sha384:…", "sha512:…", "gitCommit:…" or "gitTree:…".
// Any other algorithm or a wrong length is an *Error with CodeInvalid.
func ParseDigest(s string) (Digest, error) {
	alg, hex, _ := strings.Cut(s, ":")
	for _, n := range digestHex[alg] {
		if len(hex) == n && strings.Trim(hex, "0123456789abcdef") == "" {
			return Digest(s), nil
		}
	}
	return "", &Error{
		Code: CodeInvalid, What: fmt.Sprintf("%q is not a digest that Verdict accepts", s),
		Remedy: "give sha256:, sha384:, sha512: or gitCommit: followed by the full lower-case hex value",
	}
}

// Algorithm is the part before the colon.
func (d Digest) Algorithm() string { a, _, _ := strings.Cut(string(d), ":"); return a }

// Hex is the part after the colon.
func (d Digest) Hex() string { _, h, _ := strings.Cut(string(d), ":"); return h }

// Short is a form for people: the first 12 hex digits.
func (d Digest) Short() string {
	h := d.Hex()
	if len(h) > 12 {
		h = h[:12]
	}
	return h
}
