package evidence

import (
	"strconv"
	"strings"
	"time"

	"verdict"
)

// Summary is the predicate of SLSA's verification summary v1: somebody verified something, so
// that others need not.
type Summary struct {
	Verifier SummaryVerifier `json:"verifier"`
	At       time.Time       `json:"timeVerified"`
	Resource string          `json:"resourceUri"`
	Policy   SummaryInput    `json:"policy"`
	Inputs   []SummaryInput  `json:"inputAttestations,omitempty"`
	Result   string          `json:"verificationResult"` // SummaryPassed or SummaryFailed
	Levels   []string        `json:"verifiedLevels"`
	SLSA     string          `json:"slsaVersion"`
}

// SummaryVerifier names who verified.
type SummaryVerifier struct {
	ID      string            `json:"id"`
	Version map[string]string `json:"version,omitempty"`
}

// SummaryInput is a resource that the verification rested on.
type SummaryInput struct {
	URI    string            `json:"uri"`
	Digest map[string]string `json:"digest,omitempty"`
}

// The results of a verification, and the version of SLSA by which levels are counted. What
// failed has the one level "FAILED".
const (
	SummaryPassed = "PASSED"
	SummaryFailed = "FAILED"
	SLSAVersion   = "1.2"
)

// The verifiers that Verdict is, by what it verifies: the way of a commit, an artifact.
const (
	SourceVerifier   = DefaultBase + "/source"
	ArtifactVerifier = DefaultBase + "/artifact"
)

// The names of levels.
const (
	buildLevel     = "SLSA_BUILD_LEVEL_"
	sourceLevel    = "SLSA_SOURCE_LEVEL_"
	SourceReviewed = "ORG_SOURCE_REVIEWED" // somebody who had no hand in the change agreed to it
)

// BuildLevel and SourceLevel name a level of SLSA's tracks.
func BuildLevel(n int64) string { return buildLevel + strconv.FormatInt(n, 10) }

// SourceLevel names a level of the source track.
func SourceLevel(n int64) string { return sourceLevel + strconv.FormatInt(n, 10) }

// Resource is a summary's input with its digest.
func Resource(uri string, d verdict.Digest) SummaryInput {
	if d == "" {
		return SummaryInput{URI: uri}
	}
	return SummaryInput{URI: uri, Digest: map[string]string{d.Algorithm(): d.Hex()}}
}

// SourceLevelOf is the level of the source track that a summary states to have verified, and
// whether the change was reviewed. It is false for a summary that states none, or that failed.
func SourceLevelOf(s *Statement) (level int64, reviewed, ok bool) {
	var x Summary
	if s.Kind() != verdict.KindVSA || s.Decode(&x) != nil || x.Result != SummaryPassed {
		return 0, false, false
	}
	for _, l := range x.Levels {
		if n, is := strings.CutPrefix(l, sourceLevel); is {
			if v, err := strconv.ParseInt(n, 10, 8); err == nil && v >= 1 && v <= 4 {
				level, ok = max(level, v), true
			}
		}
		reviewed = reviewed || l == SourceReviewed
	}
	return level, reviewed || level == 4, ok
}
