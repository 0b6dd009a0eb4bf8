package store

import (
	"context"
)

// Head is one epoch of the log and the state of its tree.
type Head struct {
	Epoch    int64
	Origin   string
	Key      string // verifier key of its checkpoints, as in a signed note
	Base     int64  // position of its first entry
	Size     int64  // leaves; the position of the next entry is Base+Size
	Root     []byte
	Opened   int64
	Latest   int64  // recorded time of the last entry
	Previous string // last known checkpoint of the epoch before
	Moved    string // where the log goes on since it was moved; empty: here
}

const (
	// Index: primary key of log, backwards; primary key of moved.
	headStatement = `SELECT epoch, origin, vkey, base, size, root, opened, latest, previous, COALESCE((SELECT place FROM moved WHERE id = 0), '') FROM log ORDER BY epoch DESC LIMIT 1`

	// Index: none, a handful of rows.
	epochsStatement = `SELECT epoch, origin, vkey, base, size, root, opened, latest, previous, '' FROM log ORDER BY epoch`

	// Index: none, an insert.
	openEpochStatement = `INSERT INTO log (epoch, origin, vkey, base, size, root, opened, latest, previous) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`

	// Index: primary key of log. The CASE is the compare-and-swap: a head that is not
	// the one that was read becomes -1, which the check of the table refuses.
	moveHeadStatement = `UPDATE log SET size = CASE WHEN size = $1 AND root = $2 THEN CAST($3 AS BIGINT) ELSE -1 END, root = $4, latest = $5 WHERE epoch = $6`

	// Index: primary key of tile.
	tileStatement = `SELECT data FROM tile WHERE epoch = $1 AND level = $2 AND n = $3`

	// Index: primary key of tile.
	putTileStatement = `INSERT INTO tile (epoch, level, n, data) VALUES ($1, $2, $3, $4) ON CONFLICT (epoch, level, n) DO UPDATE SET data = excluded.data`

	// Index: primary key of tile.
	tilesStatement = `SELECT level, n, data FROM tile WHERE epoch = $1 AND level = $2 AND n >= $3 AND n < $4 ORDER BY n`
)

func readHead(r Row) (h Head, err error) {
	err = r.Scan(&h.Epoch, &h.Origin, &h.Key, &h.Base, &h.Size, &h.Root, &h.Opened, &h.Latest, &h.Previous, &h.Moved)
	return h, err
}

// Head is the open epoch. There is none in a database that no ledger has opened yet.
func (v *View) Head(ctx context.Context) (Head, bool, error) {
	h, err := list(ctx, v, headStatement, nil, readHead)
	if err != nil || len(h) == 0 {
		return Head{}, false, err
	}
	return h[0], true, nil
}

// Epochs lists all epochs, the first one first.
func (v *View) Epochs(ctx context.Context) ([]Head, error) {
	return list(ctx, v, epochsStatement, nil, readHead)
}

// Tile is one tile of a tree of one epoch: up to 256 hashes of 32 bytes.
type Tile struct {
	Level, N int64
	Data     []byte
}

// Tiles fills the data of each of the tiles, in one round trip. Data stays nil where
// there is no such tile.
func (v *View) Tiles(ctx context.Context, epoch int64, tiles []Tile) error {
	statements := make([]Statement, len(tiles))
	for i := range tiles {
		t := &tiles[i]
		statements[i] = Statement{SQL: tileStatement, Args: []any{epoch, t.Level, t.N}, Each: func(r Row) error { return r.Scan(&t.Data) }}
	}
	return v.r.Run(ctx, statements...)
}

// EachTile calls each with the tiles [from, to) of one level, in order.
func (v *View) EachTile(ctx context.Context, epoch, level, from, to int64, each func(Tile) error) error {
	return v.r.Run(ctx, Statement{SQL: tilesStatement, Args: []any{epoch, level, from, to}, Each: func(r Row) error {
		var t Tile
		if err := r.Scan(&t.Level, &t.N, &t.Data); err != nil {
			return err
		}
		return each(t)
	}})
}

// OpenEpoch adds an epoch. It fails with ErrFence when there is one of that number or
// origin.
func (s *Store) OpenEpoch(ctx context.Context, h Head) error {
	return s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{openEpoch(h)}, nil
	})
}

func openEpoch(h Head) Statement {
	return Statement{SQL: openEpochStatement, Args: []any{h.Epoch, h.Origin, h.Key, h.Base, h.Size, h.Root, h.Opened, h.Latest, h.Previous}}
}
