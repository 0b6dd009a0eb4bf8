package decide_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"testing"

	"verdict"
	"verdict/decide"
	"verdict/ledger"
	"verdict/policy"
)

// basisOf is what a decision recorded of its basis.
func (h *house) basisOf(id string) (verdict.Decision, decide.Basis) {
	h.t.Helper()
	_, s, err := h.ledger.DecisionStatement(h.ctx, id, ledger.Now)
	must(h.t, err)
	var rec struct {
		verdict.Decision
		Basis decide.Basis `json:"basis"`
	}
	must(h.t, s.Decode(&rec))
	return rec.Decision, rec.Basis
}

// withoutBlob is a ledger of which one blob is gone, or says something else.
type withoutBlob struct {
	another
	blob verdict.Digest
	says []byte
}

func (w withoutBlob) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	switch {
	case d != w.blob:
		return w.Ledger.Blob(ctx, d)
	case w.says != nil:
		return w.says, nil
	}
	return nil, errors.New("no such blob")
}

// Findings that are many are kept once, however often it is decided on them, and a decision
// still names the digest of the whole document that its rules read.
func TestManyFindingsLieOnceBesideTheDecisionsOnThem(t *testing.T) {
	h, ask := flawedHouse(t, 60)
	first := h.gate(ask)
	h.now = h.now.Add(1e9)
	second := h.gate(ask)
	_, a := h.basisOf(first.ID)
	d, b := h.basisOf(second.ID)
	if a.Findings == "" || a.Findings != b.Findings || bytes.Contains(b.Input, []byte("package-7")) {
		t.Fatalf("the findings of two decisions lie in %q and %q, the second document is %.300s", a.Findings, b.Findings, b.Input)
	}
	content, err := h.ledger.Blob(h.ctx, b.Findings)
	must(t, err)
	parts, err := policy.Parts(b.Input, content)
	must(t, err)
	in, err := policy.ParseInput(bytes.Join(parts[:], nil))
	must(t, err)
	if whole, _ := in.Canonical(); verdict.NewDigest("sha256", fmt.Sprintf("%x", sha256.Sum256(whole))) != d.Digests.Input || len(in.Vulnerabilities.Findings) != 60 {
		t.Errorf("%d findings, and the digest of the document is not the one that is named", len(in.Vulnerabilities.Findings))
	}
	if out := h.backtest(h.engine.Policy, nil); out.Same != out.Decisions {
		t.Errorf("a backtest of the same rules: %+v", out)
	}
}

// The blob is needed where the ledger no longer holds what the findings came from, and only
// there. One that is gone then leaves nothing to be told, and one that says something else is
// told.
func TestFindingsThatAreGoneAreNotGuessed(t *testing.T) {
	h, ask := flawedHouse(t, 60)
	d := h.gate(ask)
	_, b := h.basisOf(d.ID)
	match := int64(-1)
	for _, ref := range d.Evidence {
		if ref.Kind == verdict.KindTestResult || ref.Kind == verdict.KindVulnerabilities {
			match = ref.Index
		}
	}
	if match < 0 {
		t.Fatalf("the decision names no match: %+v", d.Evidence)
	}
	replay := func(w withoutBlob) (*decide.Replayed, error) {
		w.Ledger = h.ledger
		return (&decide.Replayer{Ledger: w, KeyName: h.keyName}).Replay(h.ctx, d.ID, ledger.Now)
	}
	if out, err := replay(withoutBlob{blob: b.Findings}); err != nil || !out.Same || out.Facts.State != verdict.StateVerified {
		t.Errorf("gathered again without the blob: %+v, %v", out, err)
	}
	if out, err := replay(withoutBlob{another: another{missing: match}}); err != nil || !out.Same || out.Facts.State != verdict.StateUnknown {
		t.Errorf("with the blob and without the match: %+v, %v", out, err)
	}
	if out, err := replay(withoutBlob{another: another{missing: match}, blob: b.Findings}); err == nil || !strings.Contains(err.Error(), "findings") {
		t.Errorf("with neither: %+v, %v", out, err)
	}
	content, err := h.ledger.Blob(h.ctx, b.Findings)
	must(t, err)
	other := bytes.Replace(content, []byte(`"malicious":false`), []byte(`"malicious":true`), 1)
	if out, err := replay(withoutBlob{another: another{missing: match}, blob: b.Findings, says: other}); err == nil && out.Same {
		t.Errorf("other findings pass for those that were decided on: %+v", out)
	}
}
