package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"verdict"
	"verdict/ci"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/sbom"
)

// bill states the bill of materials of a commit, signed. It is recorded for every commit
// and not only where a point needs it: who asks next year which commits locked a package
// has the ledger alone to ask. It is written without its time, which stands in the
// context, so that the same commit has the same bill and is recorded once. What is no
// commit leads to no artifact: its bill is written where it is asked for, and not
// recorded.
//
// It gives nil for what needs no recording, and a note for a person where that is a loss.
func (w *workspace) bill(ctx context.Context, r *ci.Result, c verdict.Context) (b *evidence.Bundle, note string, err error) {
	if r.Uncommitted() {
		return nil, "", nil
	}
	own, note, err := ownBillOf(r.Bill, maxBill)
	if err != nil || note != "" {
		return nil, note, err
	}
	s, err := evidence.NewTyped(own.kind, []verdict.Subject{r.Subject}, own.text, c, w.app.rand)
	if err != nil {
		return nil, "", fmt.Errorf("state the bill of materials: %w", err)
	}
	// Looked up before it is signed: a large body would be written once more for nothing.
	said, err := w.ledger.Find(ctx, ledger.Query{Subject: r.Subject.Digest, Kind: verdict.KindSBOM, At: ledger.Now})
	if err != nil {
		return nil, "", err
	}
	identity := s.Identity(w.signer.KeyID())
	if slices.ContainsFunc(said, func(e ledger.Entry) bool { return e.Identity == identity }) {
		return nil, "", nil
	}
	if err := own.keep(ctx, w); err != nil {
		return nil, "", err
	}
	if b, err = evidence.Sign(ctx, s, w.signer); err != nil {
		return nil, "", fmt.Errorf("sign the bill of materials: %w", err)
	}
	return b, "", nil
}

// maxBill leaves room for the subject and the context of a statement, which holds some
// 19,000 components of npm.
const maxBill = evidence.MaxStatement - 64<<10

// ownBill is a bill of ours on its way into the ledger.
type ownBill struct {
	kind   string // of its predicate
	text   json.RawMessage
	beside *attestedBill // nil: the predicate holds it
}

// ownBillOf writes a bill without its time: as the predicate, or where it has more than limit
// bytes as a document that lies beside its statement. A note says that it is too large for
// either.
func ownBillOf(doc sbom.Document, limit int) (own ownBill, note string, err error) {
	doc.At = time.Time{}
	var b bytes.Buffer
	if err := doc.WriteCycloneDX(&b); err != nil {
		return own, "", fmt.Errorf("write the bill of materials: %w", err)
	}
	own = ownBill{kind: evidence.PredicateType(verdict.KindSBOM), text: b.Bytes()}
	if b.Len() <= limit {
		return own, "", nil
	}
	raw := b.Bytes()
	read, err := sbom.ReadBill(raw) // what nobody can read is not recorded as if it could be
	var e *verdict.Error
	if errors.As(err, &e) && e.Code == verdict.CodeLimit {
		return own, fmt.Sprintf("the bill of materials was not recorded: %s (-o cyclonedx=FILE writes it)", e.What), nil
	}
	if err != nil {
		return own, "", fmt.Errorf("read the bill of materials back: %w", err)
	}
	own.beside = &attestedBill{raw: raw, bill: read, beside: true}
	own.kind = evidence.StoredBill
	own.text, err = own.beside.standIn()
	return own, "", err
}

// keep puts the bytes where the statement will name them.
func (b ownBill) keep(ctx context.Context, w *workspace) error {
	if b.beside == nil {
		return nil
	}
	return b.beside.keep(ctx, w)
}

// billSummary tells a bill of materials in a few words: how many components it has, and
// whether it says that these are all.
func billSummary(s *evidence.Statement) string {
	if s.PredicateType == evidence.StoredBill {
		var b verdict.StoredBill
		if s.Decode(&b) != nil {
			return "bill of materials"
		}
		return fmt.Sprintf("bill of materials: %s, %s (%s, as a blob)", plural(int(b.Components), "component", "components"), inventoryText(sbom.Completeness(b.Inventory)), first(b.Encoding, "in a form that is not told"))
	}
	var b struct {
		Components   []struct{} `json:"components"`
		Packages     []struct{} `json:"packages"`
		Compositions []struct {
			Aggregate  string   `json:"aggregate"`
			Assemblies []string `json:"assemblies"`
		} `json:"compositions"`
	}
	if s.Decode(&b) != nil {
		return "bill of materials"
	}
	whole := "which does not say whether that is all"
	for _, c := range b.Compositions {
		switch {
		case len(c.Assemblies) == 0:
		case c.Aggregate == "complete":
			whole = "complete"
		default:
			whole = "not complete"
		}
	}
	n, things := len(b.Components)+len(b.Packages), "components"
	if n == 1 {
		things = "component"
	}
	return fmt.Sprintf("bill of materials: %d %s, %s", n, things, whole)
}
