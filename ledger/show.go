package ledger

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"verdict/store"
)

// Shown is a log as it is shown to somebody who computes it again: what its bodies must
// come to.
type Shown struct {
	Epochs []ShownEpoch `json:"epochs"` // all, the first one first
	// Checkpoint is signed for the open epoch, at the size that Epochs give it. Others are
	// further checkpoints of it that were served, each of which it must continue.
	Checkpoint   string             `json:"checkpoint"`
	Others       []string           `json:"others,omitempty"`
	Cosignatures []ShownCosignature `json:"cosignatures"`
}

// ShownEpoch is one epoch of a Shown log.
type ShownEpoch struct {
	Epoch    int64     `json:"epoch"` // from 1
	Origin   string    `json:"origin"`
	Key      string    `json:"key"` // verifier key of its checkpoints
	Base     int64     `json:"base"`
	Size     int64     `json:"size"`
	Root     tlog.Hash `json:"root"`
	Opened   time.Time `json:"opened"`
	Latest   time.Time `json:"latest"`   // when its last entry was recorded
	Previous string    `json:"previous"` // last known checkpoint of the epoch before
}

// ShownCosignature is the signature of a witness under a checkpoint.
type ShownCosignature struct {
	Origin string `json:"origin"`
	Size   int64  `json:"size"`
	Name   string `json:"name"`
	Line   string `json:"line"`
	At     int64  `json:"at"` // seconds since 1970, as the signature has it
}

// Body is what an entry consists of. One that was pruned has its leaf, one outside of the
// asker's scope its leaf and nothing else.
type Body struct {
	Index     int64
	Entry     *Entry // nil: outside of the asker's scope
	Payload   []byte // the signed bytes
	Signature []byte
	Foreign   []byte // the bundle of others that it vouches for
	Leaf      []byte
	Why       string // the payload or the foreign bundle cannot be had, and why
}

// Shown gives what Bodies are to be held against, all of one moment.
func (l *Ledger) Shown(ctx context.Context) (Shown, error) {
	s := Shown{Epochs: []ShownEpoch{}, Cosignatures: []ShownCosignature{}}
	if l.refusal != nil {
		return s, l.refusal
	}
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		c, err := l.sign(head)
		if err != nil {
			return err
		}
		s.Checkpoint = c.Note
		epochs, err := v.Epochs(ctx)
		if err != nil {
			return err
		}
		for _, h := range epochs {
			s.Epochs = append(s.Epochs, ShownEpoch{
				Epoch: h.Epoch, Origin: h.Origin, Key: h.Key, Base: h.Base, Size: h.Size, Root: tlog.Hash(h.Root), Opened: fromMicros(h.Opened), Latest: fromMicros(h.Latest), Previous: h.Previous,
			})
		}
		return v.EachCosignature(ctx, func(c store.Cosignature) error {
			s.Cosignatures = append(s.Cosignatures, ShownCosignature(c))
			return nil
		})
	})
	return s, err
}

// Each is Bodies for who may see everything.
func (l *Ledger) Each(ctx context.Context, from, to int64, each func(Body) error) error {
	return l.Bodies(ctx, from, to, func(Entry) (bool, error) { return true, nil }, each)
}

// Bodies calls each with the entries [from, to) in the log's order, until it returns an
// error, which Bodies returns. Without those that sees refuses there is only their leaf.
func (l *Ledger) Bodies(ctx context.Context, from, to int64, sees func(Entry) (bool, error), each func(Body) error) error {
	keys, _, err := l.refreshKeys(ctx)
	if err != nil {
		return err
	}
	for from < to {
		next := min(from+bodiesAtOnce, to)
		var rows []store.Entry
		err := l.view(ctx, func(v *store.View, _ store.Head) error {
			return v.EachBody(ctx, from, next, func(r store.Entry) error { rows = append(rows, r); return nil })
		})
		if err != nil {
			return err
		}
		for _, r := range rows {
			b, err := l.bodyOf(ctx, keys, r, sees)
			if err == nil {
				err = each(b)
			}
			if err != nil {
				return err
			}
		}
		from = next
	}
	return nil
}

// bodiesAtOnce bounds the rows of Bodies that are in memory.
const bodiesAtOnce = 64

func (l *Ledger) bodyOf(ctx context.Context, keys *keyring, r store.Entry, sees func(Entry) (bool, error)) (Body, error) {
	b := Body{Index: r.Seq}
	e, err := entryOf(r)
	if err != nil {
		return b, err
	}
	seen, err := sees(e)
	if err != nil {
		return b, err
	}
	switch {
	case !seen:
		b.Leaf, err = l.leafOf(ctx, keys, r)
	case e.Pruned:
		b.Entry, b.Signature = &e, r.Signature
		b.Leaf, err = l.leafOf(ctx, keys, r)
	default:
		b.Entry, b.Signature = &e, r.Signature
		if b.Payload, err = l.payload(ctx, r); err == nil && e.Foreign {
			b.Foreign, err = l.foreign(ctx, r)
		}
	}
	if err == nil || ctx.Err() != nil {
		return b, err
	}
	b.Why = "it cannot be read" // no reason to keep the others back
	if seen {
		b.Why = err.Error()
	}
	return b, nil
}

// EpochTile gives a tile of an epoch by its number, as ResolveTile does for the open one.
func (l *Ledger) EpochTile(ctx context.Context, epoch int64, t tlog.Tile) ([]byte, error) {
	var out []byte
	err := l.view(ctx, func(v *store.View, _ store.Head) error {
		epochs, err := v.Epochs(ctx)
		if err != nil {
			return err
		}
		if epoch < 1 || epoch > int64(len(epochs)) {
			return noTile(fmt.Sprintf("of epoch %d", epoch), t)
		}
		out, err = l.tile(ctx, v, epochs[epoch-1], t)
		return err
	})
	return out, err
}
