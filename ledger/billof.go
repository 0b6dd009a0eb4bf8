package ledger

import (
	"context"
	"fmt"

	"verdict"
	"verdict/evidence"
	"verdict/sbom"
)

// storedBill is what a statement says of a bill that lies beside it; false for one that
// holds its bill itself, and for every other statement.
func storedBill(s *evidence.Statement) (b verdict.StoredBill, ok bool) {
	return b, s.PredicateType == evidence.StoredBill && s.Decode(&b) == nil
}

// BillOf reads the bill of materials that a statement of kind sbom holds, or that lies as a
// blob beside it. One that others stated was not held to its schema. What is no such bill,
// or lies in a blob that is not in this ledger, is an *verdict.Error.
func (l *Ledger) BillOf(ctx context.Context, s *evidence.Statement) (*sbom.Bill, error) {
	return ReadBill(ctx, l, s)
}

// Blobs gives back bytes by their digest, as a Ledger does.
type Blobs interface {
	// Blob gives the bytes of a digest, verified.
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// ReadBill is BillOf for who has no Ledger but what it keeps.
func ReadBill(ctx context.Context, blobs Blobs, s *evidence.Statement) (*sbom.Bill, error) {
	if s.Kind() != verdict.KindSBOM {
		return nil, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("evidence of kind %s is no bill of materials", s.Kind()), Remedy: "name evidence of kind sbom: verdict trail lists it"}
	}
	raw := []byte(s.Body())
	if stored, ok := storedBill(s); ok {
		b, err := blobs.Blob(ctx, stored.Digest)
		if err != nil {
			return nil, fmt.Errorf("the bill of materials that lies beside its statement: %w", err)
		}
		raw = b
	}
	return sbom.ReadBill(raw)
}

// billPresent refuses a statement whose bill was not put before it: what it lists would be
// unknown for ever, however often it is asked.
func (l *Ledger) billPresent(ctx context.Context, s *evidence.Statement) error {
	stored, ok := storedBill(s)
	if !ok {
		return nil
	}
	if _, err := l.blobs.Stat(ctx, stored.Digest); err != nil {
		return fmt.Errorf("the bill of materials that lies beside its statement: %w", err)
	}
	return nil
}
