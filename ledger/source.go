package ledger

import (
	"context"

	"verdict"
	"verdict/store"
)

// source is where a log is read from that is verified or exported: the database of this
// process, or somebody who is not believed. All methods may be called at the same time.
type source interface {
	// piece hands the lowest tiles and the rows from p.from to end, all of one epoch, to a
	// piece of a verification.
	piece(ctx context.Context, h store.Head, p *piece, end int64) error
	// rows calls each with the rows [from, to) that there are, in order. They are few.
	rows(ctx context.Context, from, to int64, each func(row) error) error
	// tiles fills the data of tiles of an epoch. It stays nil where there is none.
	tiles(ctx context.Context, h store.Head, tiles []store.Tile) error
	// payload and foreign give the signed bytes of a row, and the foreign bundle that it
	// vouches for, held against the digest in it.
	payload(ctx context.Context, r row) ([]byte, error)
	foreign(ctx context.Context, r row) ([]byte, error)
	// blob gives bytes by their digest, held against it. The errors are those of blob.Store.
	blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// row is an entry with its body.
type row struct {
	store.Entry
	given *Body // as it was given; nil: it is a row of the database
}

// here reads the database of a ledger.
type here struct{ *Ledger }

func (s here) piece(ctx context.Context, h store.Head, p *piece, end int64) error {
	leaf := p.from - h.Base
	return s.store.View(ctx, func(v *store.View) error {
		err := v.EachTile(ctx, h.Epoch, 0, leaf>>tileHeight, (end-h.Base+tileWidth-1)>>tileHeight, func(t store.Tile) error {
			p.tile(h, t)
			return nil
		})
		if err != nil {
			return err
		}
		err = v.EachBody(ctx, p.from, end, func(r store.Entry) error {
			p.gone(r.Seq)
			p.entry(ctx, row{Entry: r})
			return ctx.Err()
		})
		if err != nil {
			return err
		}
		p.gone(end)
		for _, r := range p.lost {
			if err := p.lostBill(ctx, v, r); err != nil {
				return err
			}
		}
		if err := p.foreignBodies(ctx, v); err != nil {
			return err
		}
		return p.skippedRows(ctx, v)
	})
}

func (s here) rows(ctx context.Context, from, to int64, each func(row) error) error {
	var rows []store.Entry
	err := s.store.View(ctx, func(v *store.View) error {
		return v.EachBody(ctx, from, to, func(r store.Entry) error { rows = append(rows, r); return nil })
	})
	for _, r := range rows { // each asks the store itself
		if err == nil {
			err = each(row{Entry: r})
		}
	}
	return err
}

func (s here) tiles(ctx context.Context, h store.Head, tiles []store.Tile) error {
	return s.store.View(ctx, func(v *store.View) error { return v.Tiles(ctx, h.Epoch, tiles) })
}

func (s here) payload(ctx context.Context, r row) ([]byte, error) {
	return s.Ledger.payload(ctx, r.Entry)
}

func (s here) foreign(ctx context.Context, r row) ([]byte, error) {
	return s.Ledger.foreign(ctx, r.Entry)
}

func (s here) blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	return s.blobs.Get(ctx, d)
}
