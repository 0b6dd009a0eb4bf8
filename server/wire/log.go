package wire

import "verdict/ledger"

// Bodies is a page of what the leaves of a log are computed from. Next is the cursor of the
// page after it, empty on the last.
type Bodies struct {
	Bodies []LogBody `json:"bodies"`
	Next   string    `json:"next"`
}

// LogBody is a ledger.Body. One outside of the caller's scope has its index and its leaf
// alone.
type LogBody struct {
	Index     int64  `json:"index"`
	Entry     *Entry `json:"entry,omitempty"`
	Payload   []byte `json:"payload,omitempty"` // the signed bytes
	Signature []byte `json:"signature,omitempty"`
	Foreign   []byte `json:"foreign,omitempty"` // the bundle of others that it vouches for
	Leaf      []byte `json:"leaf,omitempty"`    // where there is no payload
	Why       string `json:"why,omitempty"`     // something cannot be had, and why
}

// BodyOf makes the wire's form of a body.
func BodyOf(b ledger.Body) LogBody {
	x := LogBody{Index: b.Index, Payload: b.Payload, Signature: b.Signature, Foreign: b.Foreign, Leaf: b.Leaf, Why: b.Why}
	if b.Entry != nil {
		e := EntryOf(*b.Entry)
		x.Entry = &e
	}
	return x
}

// Ledger gives the body as the ledger has it.
func (b LogBody) Ledger() ledger.Body {
	x := ledger.Body{Index: b.Index, Payload: b.Payload, Signature: b.Signature, Foreign: b.Foreign, Leaf: b.Leaf, Why: b.Why}
	if b.Entry != nil {
		e := b.Entry.Ledger()
		x.Entry = &e
	}
	return x
}

// Tile is a tile of a log's tree, or of its leaves.
type Tile struct {
	Tile []byte `json:"tile"`
}
