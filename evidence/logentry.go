package evidence

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
)

// LogEntry is where a bundle stands in a log, and the proof of it.
type LogEntry struct {
	Index    int64
	TreeSize int64       // of the checkpoint; greater than Index
	Root     tlog.Hash   // of the checkpoint
	Hashes   []tlog.Hash // the inclusion proof, from the leaf up (RFC 6962)
	// Checkpoint is the signed note that Root and TreeSize are from.
	Checkpoint    string
	CanonicalBody []byte // the leaf, see Hashedrekord
	LogID         []byte // see LogID
}

// Check recomputes the proof: the leaf stands at the index in the tree that the
// checkpoint names. It does not check the checkpoint's signature.
func (e LogEntry) Check() error {
	if err := tlog.CheckRecord(e.Hashes, e.TreeSize, e.Root, e.Index, tlog.RecordHash(e.CanonicalBody)); err != nil {
		return fmt.Errorf("inclusion of entry %d in a tree of %d: %w", e.Index, e.TreeSize, err)
	}
	return nil
}

// WithLog gives the bundle with its log entry, for export: other tools then check both
// offline. It is for bundles of ours, signed with a key, that hold no entry yet.
func (b *Bundle) WithLog(e LogEntry) (*Bundle, error) {
	if b.hint == "" || b.entries > 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: "a log entry can be added only to a bundle that is signed with a key and has none",
			Remedy: "export the bundle as it was recorded, without adding an entry",
		}
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	entry, err := json.Marshal(e.wire())
	if err != nil {
		return nil, fmt.Errorf("log entry %d: %w", e.Index, err)
	}
	c := *b
	whole := b.build(entry)
	c.entries, c.json = 1, func() []byte { return whole }
	return &c, nil
}

// wireEntry is a transparency log entry as protobuf writes it in JSON: 64-bit integers
// are strings.
type wireEntry struct {
	LogIndex          string    `json:"logIndex"`
	LogID             keyID     `json:"logId"`
	KindVersion       kind      `json:"kindVersion"`
	InclusionProof    wireProof `json:"inclusionProof"`
	CanonicalizedBody []byte    `json:"canonicalizedBody"`
}

type keyID struct {
	KeyID []byte `json:"keyId"`
}

type kind struct {
	Kind    string `json:"kind"`
	Version string `json:"version"`
}

type wireProof struct {
	LogIndex   string     `json:"logIndex"`
	RootHash   []byte     `json:"rootHash"`
	TreeSize   string     `json:"treeSize"`
	Hashes     []string   `json:"hashes"`
	Checkpoint checkpoint `json:"checkpoint"`
}

type checkpoint struct {
	Envelope string `json:"envelope"`
}

func (e LogEntry) wire() wireEntry {
	index := strconv.FormatInt(e.Index, 10)
	w := wireEntry{
		LogIndex: index, LogID: keyID{e.LogID}, KindVersion: kind{"hashedrekord", "0.0.2"}, CanonicalizedBody: e.CanonicalBody,
		InclusionProof: wireProof{
			LogIndex: index, RootHash: e.Root[:], TreeSize: strconv.FormatInt(e.TreeSize, 10),
			Hashes: make([]string, len(e.Hashes)), Checkpoint: checkpoint{e.Checkpoint},
		},
	}
	for i, h := range e.Hashes {
		w.InclusionProof.Hashes[i] = base64.StdEncoding.EncodeToString(h[:])
	}
	return w
}
