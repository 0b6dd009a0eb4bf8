package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/sbom"
)

// errLater: an entry is not taken by this run, which was told, and the next one looks at it
// again.
var errLater = errors.New("not by this run")

// beside takes the bill of materials that lies as a blob beside a statement, and reports
// whether it is here now. One that the sender lost, changed or cannot have recorded stays
// away, which is told: its statement arrives, and what it lists is unknown. Where a blob could
// not be asked for it is errLater.
func (t *taking) beside(ctx context.Context, index int64, s *evidence.Statement) (bool, error) {
	var stored verdict.StoredBill
	if s.PredicateType != evidence.StoredBill {
		return false, nil
	}
	away := func(why string) (bool, error) {
		t.result.leave(index, why+": its statement is there, and what the artifact consists of is unknown there; state the bill on that side too: verdict attest sbom FILE")
		return false, nil
	}
	if err := s.Decode(&stored); err != nil {
		return away("a bill of materials beside a statement that does not name it")
	}
	if stored.Size <= 0 || stored.Size > sbom.MaxBill {
		return away(fmt.Sprintf("a bill of materials beside its statement that is said to have more than the %d MiB that are taken, or none", sbom.MaxBill>>20))
	}
	raw, err := t.from.Blob(ctx, stored.Digest)
	switch {
	case errors.Is(err, blob.ErrNotFound), errors.Is(err, blob.ErrCorrupt):
		return away("a bill of materials beside its statement that the log which sends has lost")
	case ctx.Err() != nil:
		return false, ctx.Err()
	case err != nil:
		t.result.refuse(index, verdict.CodeUnavailable, fmt.Errorf("its bill of materials, which lies beside its statement, could not be had: %w", err))
		return false, errLater
	case blob.DigestOf(raw) != stored.Digest, int64(len(raw)) != stored.Size:
		return away("a bill of materials beside its statement that is not the one that the statement names")
	}
	if _, err := t.to.ledger.PutBlob(ctx, raw); err != nil {
		return false, fmt.Errorf("keep the bill of materials: %w", err)
	}
	t.result.Blobs++
	return true, nil
}

// match holds the bills that arrived against the advisories of the side that took them, as
// whatever else is recorded there.
func (t *taking) match(ctx context.Context) error {
	for _, e := range t.bills {
		words, err := t.to.exposed(ctx, e)
		if err != nil {
			return err
		}
		if e.PredicateType == evidence.StoredBill && !e.Beside { // told already
			continue
		}
		if reason, not := strings.CutPrefix(words, "not matched, "); not {
			t.result.NotMatched = byReason(t.result.NotMatched, e.Source, "not matched, "+reason)
		} else if words != "" {
			t.result.Matched++
		}
	}
	return nil
}
