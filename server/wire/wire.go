// Package wire holds what a control plane and its clients say to each other: requests and
// answers of the API as Go types, for both sides. It does nothing.
package wire

import (
	"encoding/json"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
)

// The API is served below Prefix, as Release of it.
const (
	Prefix  = "/api/v1"
	Release = "v1"
)

// Header names that both sides use.
const (
	// HeaderIdempotency names a write, so that sending it again does it once.
	HeaderIdempotency = "Idempotency-Key"
	// HeaderVersion is the API's version, on every answer of a control plane. What answers
	// without it is something else.
	HeaderVersion = "Verdict-Api"
	// HeaderReach is ReachPart on an answer to whoever may not read all that there is.
	HeaderReach = "Verdict-Reach"
	// ReachPart says that what lies outside of the caller's roles is not in the answer.
	ReachPart = "part"
)

// Bounds of a request and an answer. Who sends more is refused, who answers more is not
// believed.
const (
	// MaxPage is how many rows one page of a list has at most, and what no limit means.
	MaxPage = 1000
	// MaxEvidence is how many pieces of evidence one request records.
	MaxEvidence = 256
	// MaxBody is in bytes, of any request or answer: the largest bundle fits into it.
	MaxBody = 48 << 20
	// WorkTime is how long work may take that a caller waits for: a sweep, an update, a backtest.
	WorkTime = 15 * time.Minute
)

// Problem is an error as RFC 9457 has it, with the fields of a verdict.Error.
type Problem struct {
	Type   string       `json:"type,omitempty"`
	Title  string       `json:"title,omitempty"`
	Status int          `json:"status"`
	Code   verdict.Code `json:"code"`
	What   string       `json:"what"`
	Remedy string       `json:"remedy"`
}

// ProblemType is the media type of a Problem.
const ProblemType = "application/problem+json"

// Entry is a row of the log.
type Entry struct {
	ledger.Entry
	// Beside: blobs that its statement names are in the ledger.
	Beside bool `json:"beside"`
}

// EntryOf makes the wire's form of an entry.
func EntryOf(e ledger.Entry) Entry {
	e.Context.Nonce = []byte{} // an entry is told without it, and the document of the API has a text there
	return Entry{e, e.Beside}
}

// Ledger gives the entry as the ledger has it.
func (e Entry) Ledger() ledger.Entry {
	e.Entry.Beside, e.Entry.Context.Nonce = e.Beside, nil
	return e.Entry
}

// Entries is a page of entries. Next is the cursor of the page after it, empty on the last.
type Entries struct {
	Entries []Entry `json:"entries"`
	Next    string  `json:"next"`
}

// Decisions is a page of decisions.
type Decisions struct {
	Decisions []ledger.DecisionRow `json:"decisions"`
	Next      string               `json:"next"`
}

// Running is a page of what runs.
type Running struct {
	Running []ledger.RunningRow `json:"running"`
	Next    string              `json:"next"`
}

// Body is an entry with its signed bundle: for foreign evidence the one that came, or the
// one of its ingestion where Logged was asked for.
type Body struct {
	Entry  Entry           `json:"entry"`
	Bundle json.RawMessage `json:"bundle"`
}

// Leaf is a leaf of the log's tree.
type Leaf struct {
	Leaf []byte `json:"leaf"`
}

// Position is a place in the log.
type Position struct {
	Position ledger.Position `json:"position"`
}

// Keys are the key events of the log, in its order, from the entry that was asked for.
type Keys struct {
	Events []PlacedKeyEvent `json:"events"`
}

// PlacedKeyEvent is a key event with its place.
type PlacedKeyEvent struct {
	Index  int64             `json:"index"`
	At     time.Time         `json:"at"`
	Signer string            `json:"signer"`
	Event  identity.KeyEvent `json:"event"`
}

// Log is the latest checkpoint, the key that verifies it, and who signed beside the log.
type Log struct {
	Checkpoint  ledger.Checkpoint `json:"checkpoint"`
	VerifierKey string            `json:"verifier_key"`
	Cosigned    *ledger.Cosigned  `json:"cosigned,omitempty"` // the largest that a witness signed, null if none did
}

// Stored says under which digest bytes are kept.
type Stored struct {
	Digest verdict.Digest `json:"digest"`
}

// PathCLI is the page on which a person who is signed in with a browser gets a code that
// works once, for POST /api/v1/token.
const PathCLI = "/cli"
