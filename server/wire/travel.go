package wire

import (
	"encoding/json"

	"verdict/ledger"
)

// Travel is a part of another log, sent to be recorded here as evidence of others. Nothing in
// it is believed: the server verifies each entry against the checkpoint, and the checkpoint
// with the one key that it knows the log by.
type Travel struct {
	Checkpoint ledger.Checkpoint `json:"checkpoint"`
	// TrustLog is the log's verifier key, for the first time.
	TrustLog string `json:"trust_log,omitempty"`
	// Continues proves that the checkpoint continues the last one that was shown here; nil:
	// none was.
	Continues *ledger.ConsistencyProof `json:"continues,omitempty"`
	Keys      []PlacedKeyEvent         `json:"keys"` // of the log, all of them
	// From and To are the positions of the log that this is about; Entries are what the log
	// holds there, and the entries with which its epochs began.
	From    int64     `json:"from"`
	To      int64     `json:"to"`
	Entries []Carried `json:"entries"`
}

// Carried is an entry of another log. Its bundle is missing where the body was pruned, or
// cannot be read, and Why says why.
type Carried struct {
	Index  int64                  `json:"index"`
	Pruned bool                   `json:"pruned"`
	Bundle json.RawMessage        `json:"bundle,omitempty"`
	Proof  *ledger.InclusionProof `json:"proof,omitempty"`
	Why    string                 `json:"why,omitempty"`
}

// MaxTravel is how many positions one request is about.
const MaxTravel = 256
