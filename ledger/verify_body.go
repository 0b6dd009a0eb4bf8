package ledger

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/blob"
	"verdict/evidence"
	"verdict/store"
)

// piece is what a worker found out about a run of entries.
type piece struct {
	from       int64
	leaves     []tlog.Hash
	times      []int64 // recorded, 0 for an entry that is gone
	pruned     int64
	verified   int64
	signatures int64
	receipts   map[int64]*Receipt
	epoch      *Epoch // said by the first of them
	rows       rowSum
	replacing  []replacing     // decisions, registers and what runs, in order
	uses       []store.BlobUse // of each blob that is named, the first in order
	problems   []Problem
	unchecked  []Problem
	skip       []int64       // positions whose rows cannot be computed
	unlisted   []int64       // positions whose bill alone cannot be computed
	lost       []store.Entry // whose bill lies in a blob that cannot be had
	other      []int64       // positions where the lowest tile holds another leaf
	unseen     []int64       // positions that are shown by their leaf alone
	listed     int64         // rows that were given with their bodies, and computed again
	keys       int64         // key events

	tiles   []byte // the lowest, as far as they are there
	x       *verification
	used    map[string]bool // digests in uses
	hash    rowHasher
	foreign []store.Entry
}

func (p *piece) problem(index int64, format string, a ...any) {
	p.problems = append(p.problems, Problem{Index: index, What: fmt.Sprintf(format, a...), Remedy: remedyTamper})
}

// read verifies the entries of an epoch from a leaf on, as far as one piece goes.
func (x *verification) read(ctx context.Context, h store.Head, leaf int64) (*piece, error) {
	n := min(verifyChunk, h.Size-leaf)
	p := &piece{
		x: x, from: h.Base + leaf, leaves: make([]tlog.Hash, 0, n), times: make([]int64, 0, n), receipts: map[int64]*Receipt{}, used: map[string]bool{}, hash: x.rows.hasher(),
	}
	p.tiles = make([]byte, 0, n*tlog.HashSize)
	err := x.from.piece(ctx, h, p, p.from+n)
	p.compare(p.tiles)
	p.tiles = nil
	return p, err
}

// tile takes the next of the lowest tiles.
func (p *piece) tile(h store.Head, t store.Tile) {
	if at := int(h.Base+t.N<<tileHeight-p.from) * tlog.HashSize; at == len(p.tiles) { // else one before it is gone
		p.tiles = append(p.tiles, t.Data...)
	}
}

// gone fills up with entries that should be there before a position.
func (p *piece) gone(before int64) {
	for seq := p.from + int64(len(p.leaves)); seq < before; seq++ {
		p.problem(seq, "entry %d is gone from %s", seq, p.x.place("the database"))
		p.skip = append(p.skip, seq)
		p.leaves = append(p.leaves, tlog.Hash{})
		p.times = append(p.times, 0)
	}
}

// compare holds the leaves against the lowest tiles, so that the first entry that is not
// what was logged has a name. A leaf that could not be computed is taken from the tile.
// Which of the two was changed where they differ, the root tells.
func (p *piece) compare(tiles []byte) {
	for i, h := range p.leaves {
		seq := p.from + int64(i)
		if (i+1)*tlog.HashSize > len(tiles) {
			p.problem(seq, "the tile over entry %d is gone or short", seq)
			return
		}
		logged := tlog.Hash(tiles[i*tlog.HashSize:])
		if h == (tlog.Hash{}) { // said already
			p.leaves[i] = logged
		} else if h != logged {
			p.other = append(p.other, seq)
		}
	}
}

// entry verifies one row.
func (p *piece) entry(ctx context.Context, r row) {
	p.times = append(p.times, r.At)
	leaf, err := p.leaf(ctx, r)
	p.leaves = append(p.leaves, leaf)
	if err != nil {
		p.skip = append(p.skip, r.Seq)
	}
	var problem *verdict.Error
	switch {
	case err == nil:
	case errors.Is(err, errCannot):
		errors.As(err, &problem)
		p.unchecked = append(p.unchecked, Problem{Index: r.Seq, What: fmt.Sprintf("entry %d could not be checked: %v", r.Seq, err), Remedy: remedyBlobs})
	case lostBlob(err):
		p.problems = append(p.problems, Problem{Index: r.Seq, What: fmt.Sprintf("the body of entry %d is lost: %v", r.Seq, err), Remedy: remedyBlobs})
	default:
		p.problem(r.Seq, "entry %d does not hold: %v", r.Seq, err)
	}
}

// lostBlob reports that a blob is not there or is not what it was, and not that the store
// could not be asked.
func lostBlob(err error) bool {
	return errors.Is(err, blob.ErrNotFound) || errors.Is(err, blob.ErrCorrupt)
}

// errCannot marks what keeps an entry from being checked at all.
var errCannot = errors.New("its bytes cannot be had")

// leaf computes the leaf of a row and the rows that follow from it. The zero hash comes
// with an error: there is no leaf.
func (p *piece) leaf(ctx context.Context, r row) (tlog.Hash, error) {
	if r.given != nil && r.given.Entry == nil && r.Leaf != nil {
		p.unseen = append(p.unseen, r.Seq)
		return tlog.RecordHash(r.Leaf), nil
	}
	if r.ToSeq != store.Open && r.Payload == nil && r.Leaf != nil {
		p.pruned++
		p.skip = append(p.skip, r.Seq)
		return tlog.RecordHash(r.Leaf), nil
	}
	payload, err := p.x.from.payload(ctx, r)
	if err != nil {
		if r.Payload == nil && !lostBlob(err) {
			err = fmt.Errorf("%w: %w", errCannot, err)
		}
		return tlog.Hash{}, fmt.Errorf("body: %w", err)
	}
	b, err := bundleOf(payload, r.Entry)
	if err != nil {
		return tlog.Hash{}, fmt.Errorf("body: %w", err)
	}
	public := p.x.keys.public[r.Signer]
	if public == nil {
		return tlog.Hash{}, fmt.Errorf("its key %s is not enrolled", r.Signer)
	}
	leaf, err := evidence.Hashedrekord(b, public)
	if err != nil {
		return tlog.Hash{}, err
	}
	p.verified++
	p.rowsOf(ctx, r, b)
	return tlog.RecordHash(leaf), nil
}

// rowsOf computes the index rows of a body again, and what else can be said of it.
func (p *piece) rowsOf(ctx context.Context, r row, b *evidence.Bundle) {
	s, err := b.Statement()
	if err != nil {
		p.problem(r.Seq, "the statement of entry %d cannot be read: %v", r.Seq, err)
		p.skip = append(p.skip, r.Seq)
		return
	}
	public, err := p.x.keys.valid(r.Signer, r.Seq)
	if err != nil {
		p.problem(r.Seq, "entry %d: %v", r.Seq, err)
	} else if p.x.o.Signatures {
		if _, err := evidence.KeyVerifier(public).Verify(ctx, b); err != nil {
			p.problem(r.Seq, "entry %d: %v", r.Seq, err)
		} else {
			p.signatures++
		}
	}
	want, err := projectStatement(s, b, r.Signer)
	if err != nil {
		p.problem(r.Seq, "entry %d: %v", r.Seq, err)
		p.skip = append(p.skip, r.Seq)
		return
	}
	if want.foreign == nil && p.x.own != nil {
		c, _ := s.Context()
		if p.x.own.billLost(ctx, s) { // that the blob is lost is said of the blob
			p.lost = append(p.lost, r.Entry)
		} else {
			want.bill = p.x.own.listBill(ctx, s, false, r.Producer, c)
		}
	}
	want.at(r.Seq, r.At)
	p.named(want.uses)
	if r.given != nil {
		p.listed++
		r.unlisted(want)
	}
	want.asKnown(r.Entry)
	if column := differs(want.entry, r.Entry); column != "" || r.Size != int64(len(b.Payload())) {
		p.problem(r.Seq, "the index of entry %d does not say what its body says: column %s", r.Seq, first(column, "size"))
	}
	p.about(r.Entry, s, want)
	if r.given != nil {
		p.foreignGiven(ctx, r, want)
		return
	}
	if want.foreign != nil {
		p.foreign = append(p.foreign, r.Entry)
	}
	p.hash.projection(&p.rows, want)
	p.replacing = append(p.replacing, p.hash.replacing(want)...)
}

// about keeps what the log says about itself, to be checked when the tree is known.
func (p *piece) about(of store.Entry, s *evidence.Statement, want *projection) {
	var err error
	seq := of.Seq
	switch {
	case want.foreign != nil:
	case s.Kind() == verdict.KindReceipt:
		r := &Receipt{}
		err = s.Decode(r)
		p.receipts[seq] = r
	case s.Kind() == verdict.KindKey:
		p.keys++
		err = p.x.keys.told(of, s)
	case s.Kind() == verdict.KindEpoch && seq == p.from:
		p.epoch = &Epoch{}
		err = s.Decode(p.epoch)
	}
	if err != nil {
		p.problem(seq, "entry %d: %v", seq, err)
	}
}

// differs names the first column of the index that differs.
func differs(want, got store.Entry) string {
	for _, c := range []struct {
		name      string
		want, got string
	}{
		{"kind", want.Kind, got.Kind}, {"predicate_type", want.PredicateType, got.PredicateType}, {"producer", want.Producer, got.Producer},
		{"service", want.Service, got.Service}, {"team", want.Team, got.Team}, {"environment", want.Environment, got.Environment},
		{"point", want.Point, got.Point}, {"run", want.Run, got.Run}, {"actor", want.Actor, got.Actor}, {"retention", want.Retention, got.Retention},
		{"subjects", want.Subjects, got.Subjects}, {"digest", string(want.Digest), string(got.Digest)}, {"identity", string(want.Identity), string(got.Identity)},
		{"foreign_digest", want.ForeignDigest, got.ForeignDigest}, {"foreign_origin", want.ForeignOrigin, got.ForeignOrigin},
	} {
		if c.want != c.got {
			return c.name
		}
	}
	switch {
	case want.Said != got.Said:
		return "said"
	case want.ForeignSeq != got.ForeignSeq:
		return "foreign_seq"
	case want.ToSeq != got.ToSeq:
		return "to_seq"
	case want.Blobs != got.Blobs:
		return "blobs"
	case want.Bills != got.Bills:
		return "bills"
	}
	return ""
}

// foreignBodies checks the foreign bundles of the piece against their ingestions.
func (p *piece) foreignBodies(ctx context.Context, v *store.View) error {
	for _, r := range p.foreign {
		f, found, err := v.Foreign(ctx, r.Seq)
		if err != nil {
			return err
		}
		if !found {
			continue // the row is missed when rows are compared
		}
		var b []byte
		if f.Data != nil {
			b, err = p.x.own.body.unpacked(f.Data, f.Size)
		} else if b, err = p.x.own.blobs.Get(ctx, verdict.Digest(r.ForeignDigest)); lostBlob(err) {
			p.problems = append(p.problems, Problem{Index: r.Seq, What: fmt.Sprintf("the foreign bundle of entry %d is lost: %v", r.Seq, err), Remedy: remedyBlobs})
			if err := p.lostBill(ctx, v, r); err != nil {
				return err
			}
			continue
		} else if err != nil {
			p.unchecked = append(p.unchecked, Problem{Index: r.Seq, What: fmt.Sprintf("the foreign bundle of entry %d could not be checked: %v", r.Seq, err), Remedy: remedyBlobs})
			if err := p.lostBill(ctx, v, r); err != nil {
				return err
			}
			continue
		}
		if sum := sha256.Sum256(b); err != nil || hex.EncodeToString(sum[:]) != verdict.Digest(r.ForeignDigest).Hex() {
			p.problem(r.Seq, "the foreign bundle of entry %d is not the one that its ingestion names", r.Seq)
			continue
		}
		if err := p.foreignBill(ctx, v, r, b); err != nil {
			return err
		}
	}
	slices.SortStableFunc(p.replacing, func(a, b replacing) int { return cmp.Compare(a.from, b.from) })
	return nil
}

// skippedRows takes from the index what decisions, registers and deployments replaced
// whose bodies no longer say it.
func (p *piece) skippedRows(ctx context.Context, v *store.View) error {
	if len(p.skip) == 0 {
		return nil
	}
	take := func(seq int64, x *projection) error {
		if _, gone := slices.BinarySearch(p.skip, seq); gone {
			p.replacing = append(p.replacing, p.hash.replacing(x)...)
		}
		return nil
	}
	from, to := p.skip[0], p.skip[len(p.skip)-1]+1
	err := v.EachEnded(ctx, from, to, func(r store.Running) error { // by a statement that leaves no row of its own, or by one that does
		r.From, r.Decision = r.To, ""
		return take(r.From, &projection{run: &store.Run{Running: r, Ends: true}})
	})
	if err != nil {
		return err
	}
	err = v.EachProjectionBetween(ctx, from, to, store.Projections{
		Decision: func(d store.Decision) error { return take(d.From, &projection{decision: &d}) },
		Register: func(r store.Register) error { return take(r.From, &projection{registers: []store.Register{r}}) },
		Bill:     func(b store.Bill) error { return take(b.From, &projection{bill: &b}) },
		Running:  func(r store.Running) error { return take(r.From, &projection{run: &store.Run{Running: r}}) },
	})
	slices.SortStableFunc(p.replacing, func(a, b replacing) int { return cmp.Compare(a.from, b.from) })
	return err
}
