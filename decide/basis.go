package decide

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"verdict"
	"verdict/ledger"
	"verdict/policy"
)

// BasisSchema is the word in Basis.Schema.
const BasisSchema = "verdict.basis/v2"

// Basis is everything that a decision was computed from, apart from the policy bundle
// and the map, which are blobs, and from findings that are many.
type Basis struct {
	Schema string `json:"schema"`
	// Seen is the position of the ledger that the facts were gathered at. What came
	// after it had no part in the decision.
	Seen    ledger.Position `json:"seen"`
	Case    Case            `json:"case"`
	Partial bool            `json:"allow_partial"`
	// Findings names the blob with the findings of the input, where Input is without them:
	// an artifact is decided on again and again while they stay the same, and they are by far
	// the largest part of it. "" where they are in Input.
	Findings verdict.Digest  `json:"findings,omitempty"`
	Input    json.RawMessage `json:"input"` // canonical verdict.input/v1
	Blobs    Blobs           `json:"blobs"`

	found  []byte         // the findings that Findings names, once they are there
	digest verdict.Digest // of the whole input
}

// Blobs names the large parts of the basis that many decisions share.
type Blobs struct {
	Policy verdict.Digest `json:"policy"`
	Map    verdict.Digest `json:"map"`
}

// apart is from how many bytes on findings are kept beside the decisions on them.
const apart = 4 << 10

// takeInput takes the document into the basis, in one piece or without its findings.
func (b *Basis) takeInput(in *policy.Input) (err error) {
	p := in.Vulnerabilities.Prepared
	if p == nil || len(p.Canonical()) < apart {
		if b.Input, err = in.Canonical(); err == nil {
			b.digest = sha256Of(b.Input)
		}
		return err
	}
	if b.Input, err = in.Cut(); err != nil {
		return err
	}
	b.Findings, b.found = p.Digest(), p.Canonical()
	parts, err := policy.Parts(b.Input, b.found)
	b.digest = sha256Of(parts[:]...)
	return err
}

// whole is the document that the rules read, in one piece. Its digest is the one that a
// decision names.
func (b *Basis) whole() ([]byte, error) {
	if b.Findings == "" {
		return b.Input, nil
	}
	parts, err := policy.Parts(b.Input, b.found)
	return bytes.Join(parts[:], nil), err
}

// findings are those of the input.
func (b *Basis) findings() ([]policy.Finding, error) {
	if b.Findings != "" {
		var list []policy.Finding
		return list, json.Unmarshal(b.found, &list)
	}
	var input struct {
		Vulnerabilities struct {
			Findings []policy.Finding `json:"findings"`
		} `json:"vulnerabilities"`
	}
	err := json.Unmarshal(b.Input, &input)
	return input.Vulnerabilities.Findings, err
}

// blobs gives content by its digest.
type blobs interface {
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// complete brings the findings of a recorded basis.
func (b *Basis) complete(ctx context.Context, l blobs) (err error) {
	if b.Findings != "" && b.found == nil {
		if b.found, err = l.Blob(ctx, b.Findings); err != nil {
			return fmt.Errorf("the findings that it was taken on: %w", err)
		}
	}
	return nil
}

// keepFindings puts the findings of a basis beside the ledger.
func (e *Engine) keepFindings(ctx context.Context, b Basis) error {
	now := e.Now()
	if b.Findings == "" || e.recall.putLately(b.Findings, now) {
		return nil
	}
	switch d, err := e.Ledger.PutBlob(ctx, b.found); {
	case err != nil:
		return err
	case d != b.Findings:
		return fmt.Errorf("the ledger keeps %s as %s", b.Findings, d)
	}
	e.recall.putNow(b.Findings, now)
	return nil
}

func sha256Of(parts ...[]byte) verdict.Digest {
	h := sha256.New()
	for _, p := range parts {
		h.Write(p)
	}
	return verdict.NewDigest("sha256", hex.EncodeToString(h.Sum(nil)))
}
