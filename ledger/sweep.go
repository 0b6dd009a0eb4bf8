package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"verdict"
	"verdict/blob"
	"verdict/store"
)

// SweepReport says what one sweep of the blobs saw and did.
type SweepReport struct {
	Seen    int64       `json:"seen"`    // blobs in the store
	Marked  []SweptBlob `json:"marked"`  // no entry rests on them: marked by this sweep, still there
	Waiting int64       `json:"waiting"` // marked by an earlier sweep, and not for long enough
	Kept    int64       `json:"kept"`    // marked earlier, and an entry rests on them now or they were put again
	Removed []SweptBlob `json:"removed"` // marked long enough, and still no entry rests on them
	Freed   int64       `json:"freed"`   // bytes of the removed
	Due     time.Time   `json:"due"`     // when a sweep may remove all that is marked; zero: nothing is
	// Named is how many entries an earlier version of the program had recorded, without
	// saying which blobs they name: that was found out from their bodies first.
	Named int64 `json:"named"`
}

// SweptBlob is a blob that was marked or removed.
type SweptBlob struct {
	Digest verdict.Digest `json:"digest"`
	Size   int64          `json:"size"` // bytes
}

// Sweep removes blobs on which no entry rests: what a writer put who came to no commit. A
// sweep marks them; one that comes blob.DefaultWait later asks again and removes them,
// unless they were put again since. So a blob that was put for an entry which is not
// committed yet is safe.
//
// It changes nothing while it is not known whether the database is whole: entries of which
// a database that was set back knows nothing still need their blobs.
func (l *Ledger) Sweep(ctx context.Context) (SweepReport, error) {
	r := SweepReport{Marked: []SweptBlob{}, Removed: []SweptBlob{}}
	marks, ok := l.blobs.(blob.Marks)
	if !ok {
		return r, errors.New("sweep: the blob store keeps no marks")
	}
	err := l.maySweep(ctx)
	if err == nil {
		r.Named, err = l.nameBlobs(ctx)
	}
	if err != nil {
		return r, fmt.Errorf("sweep: %w", err)
	}
	s := blob.Sweeper{Store: l.blobs, Marks: marks, Referenced: l.used, Now: l.o.Now, Tell: func(i blob.Info, removed bool) {
		if b := (SweptBlob{i.Digest, i.Size}); removed {
			r.Removed = append(r.Removed, b)
		} else {
			r.Marked = append(r.Marked, b)
		}
	}}
	did, err := s.Sweep(ctx)
	r.Seen, r.Waiting, r.Kept, r.Freed, r.Due = did.Seen, did.Waiting, did.Kept, did.Freed, did.Due
	return r, err
}

// maySweep is nil when the database agrees with its anchor as it is now, and that anchor
// covers all.
func (l *Ledger) maySweep(ctx context.Context) error {
	return l.anchored(ctx, func(v *store.View) error {
		epochs, err := v.Epochs(ctx)
		if err != nil {
			return err
		}
		for _, h := range epochs {
			m, err := readSince(l.o.AnchorDir, h.Origin)
			if err != nil {
				return err
			}
			if m != nil {
				return &verdict.Error{
					Code: verdict.CodeConflict, What: fmt.Sprintf("the anchor of %s covers nothing before entry %d, so it cannot be told whether entries are missing that still need their blobs", h.Origin, m.Since),
					Remedy: "hold the log against the latest checkpoint that was kept elsewhere, then sweep: verdict log verify --against FILE",
				}
			}
		}
		return nil
	})
}

// anchored is view for somebody who removes what a database does not know: what other
// processes wrote to the anchor counts too, and one that refuses is no matter of looking.
func (l *Ledger) anchored(ctx context.Context, ask func(v *store.View) error) error {
	if l.refusal != nil {
		return l.refusal
	}
	if err := l.anchor.refresh(); err != nil {
		return err
	}
	return l.view(ctx, func(v *store.View, _ store.Head) error { return ask(v) })
}

// used gives those of the blobs that some entry rests on.
func (l *Ledger) used(ctx context.Context, ds []verdict.Digest) ([]verdict.Digest, error) {
	ask := make([]string, len(ds))
	for i, d := range ds {
		ask[i] = string(d)
	}
	var out []verdict.Digest
	err := l.anchored(ctx, func(v *store.View) error {
		return v.UsedBlobs(ctx, ask, func(d string) error {
			out = append(out, verdict.Digest(d))
			return nil
		})
	})
	return out, err
}

// nameAtOnce is of how many entries one transaction finds out which blobs they name.
const nameAtOnce = 256

// nameBlobs finds out from the bodies which blobs the entries name that were recorded by a
// version that did not say it, and keeps it. It gives the number of these entries.
func (l *Ledger) nameBlobs(ctx context.Context) (int64, error) {
	all := int64(0)
	for {
		n, err := l.store.NameBlobs(ctx, nameAtOnce, func(rows []store.Entry) ([]store.Named, error) {
			var out []store.Named
			for _, r := range rows {
				uses, err := l.usesOfRow(ctx, r)
				if err != nil {
					return nil, &verdict.Error{
						Code: verdict.CodeUnavailable, What: fmt.Sprintf("it cannot be told which blobs entry %d rests on, so none is removed", r.Seq),
						Remedy: "run verdict log verify and do what it says, then sweep again", Err: err,
					}
				}
				out = append(out, store.Named{Seq: r.Seq, Uses: uses})
			}
			return out, ctx.Err()
		})
		if err != nil || n == 0 {
			return all, err
		}
		all += int64(n)
	}
}

// usesOfRow computes which blobs the statement of an entry names. One that was pruned
// names none.
func (l *Ledger) usesOfRow(ctx context.Context, r store.Entry) ([]store.BlobUse, error) {
	if r.ToSeq != store.Open && r.Payload == nil && r.Leaf != nil {
		return nil, nil
	}
	payload, err := l.payload(ctx, r)
	if err != nil {
		return nil, err
	}
	b, err := bundleOf(payload, r)
	if err != nil {
		return nil, err
	}
	p, err := projectBundle(b, r.Signer)
	if err != nil {
		return nil, err
	}
	p.at(r.Seq, r.At)
	return p.uses, nil
}
