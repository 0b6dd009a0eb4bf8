package ledger

import (
	"encoding/hex"
	"errors"
	"fmt"

	"verdict"
	"verdict/evidence"
)

// Ingestion is the predicate by which an enrolled key of ours vouches for evidence of
// somebody else: what it is, who made it, and that this was verified when it came. The
// leaf is that of this statement, because a foreign signature may not fit the entry type
// of the log, a certificate may hold a person's address, and a leaf is for ever.
type Ingestion struct {
	Bundle        verdict.Digest `json:"bundle"` // sha256 of the bundle as it came
	Size          int64          `json:"size"`
	Payload       verdict.Digest `json:"payload"` // sha256 of the foreign statement
	PredicateType string         `json:"predicate_type"`
	Identity      verdict.Digest `json:"identity"` // of the foreign statement, by its producer
	Producer      IngestedFrom   `json:"producer"` // whose signature was verified
	Origin        string         `json:"origin"`   // the log that it came from; empty: from no log
	Index         int64          `json:"index"`    // its index there
}

// IngestedFrom is an evidence.Producer in an ingestion.
type IngestedFrom struct {
	Key      string `json:"key"`
	Identity string `json:"identity"`
	Issuer   string `json:"issuer"`
}

// String is the form of evidence.Producer.String.
func (p IngestedFrom) String() string { return evidence.Producer(p).String() }

func (in Ingestion) check() error {
	for _, d := range []verdict.Digest{in.Bundle, in.Payload, in.Identity} {
		if _, err := hexOf(d); err != nil {
			return fmt.Errorf("ingestion: %w", err)
		}
	}
	if in.PredicateType == "" || in.Size <= 0 || in.Index < 0 || in.Producer == (IngestedFrom{}) {
		return errors.New("ingestion: predicate type, size, index or producer is missing")
	}
	return nil
}

// hexOf gives the bytes of a sha256 digest.
func hexOf(d verdict.Digest) ([]byte, error) {
	b, err := hex.DecodeString(d.Hex())
	if err != nil || d.Algorithm() != "sha256" || len(b) != 32 {
		return nil, fmt.Errorf("%.80q is not a sha256 digest", d)
	}
	return b, nil
}
