package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"golang.org/x/mod/sumdb/tlog"

	"verdict/store"
)

const (
	tileHeight = 8
	tileWidth  = 1 << tileHeight
	fullTile   = tileWidth * tlog.HashSize // bytes
)

// errTiles: the tiles in the database do not give the root that the head names.
var errTiles = errors.New("the tiles do not give the root")

// edge is the right edge of a tree: of each level of tiles the one that is not full. It
// is all that appending needs.
type edge struct {
	size  int64
	tiles [][]byte // by level; may be empty, never full
}

// loadEdge reads the edge of a tree of a size.
func loadEdge(ctx context.Context, v *store.View, epoch, size int64) (*edge, error) {
	e := &edge{size: size}
	var want []store.Tile
	for level, n := int64(0), size; n > 0; level, n = level+1, n>>tileHeight {
		want = append(want, store.Tile{Level: level, N: n >> tileHeight})
	}
	if err := v.Tiles(ctx, epoch, want); err != nil {
		return nil, err
	}
	for i, t := range want {
		width := int(size>>(tileHeight*i)) % tileWidth * tlog.HashSize
		if len(t.Data) < width {
			return nil, fmt.Errorf("%w: tile %d/%d is missing or short", errTiles, t.Level, t.N)
		}
		e.tiles = append(e.tiles, slices.Clone(t.Data[:width]))
	}
	return e, nil
}

func (e *edge) clone() *edge {
	c := &edge{size: e.size, tiles: make([][]byte, len(e.tiles))}
	for i, t := range e.tiles {
		c.tiles[i] = slices.Clone(t)
	}
	return c
}

// add appends a leaf and calls full with each tile that it fills.
func (e *edge) add(h tlog.Hash, full func(store.Tile)) {
	n := e.size
	e.size++
	for level := 0; ; level++ {
		if level == len(e.tiles) {
			e.tiles = append(e.tiles, nil)
		}
		e.tiles[level] = append(e.tiles[level], h[:]...)
		n >>= tileHeight
		if len(e.tiles[level]) < fullTile {
			return
		}
		full(store.Tile{Level: int64(level), N: n, Data: e.tiles[level]})
		h = tileRoot(e.tiles[level])
		e.tiles[level] = nil
	}
}

// tileRoot is the hash of the subtree over all hashes of a full tile.
func tileRoot(data []byte) tlog.Hash {
	level := make([]tlog.Hash, len(data)/tlog.HashSize)
	for i := range level {
		level[i] = tlog.Hash(data[i*tlog.HashSize:])
	}
	for len(level) > 1 {
		for i := range len(level) / 2 {
			level[i] = tlog.NodeHash(level[2*i], level[2*i+1])
		}
		level = level[:len(level)/2]
	}
	return level[0]
}

// partial lists the tiles of the edge that differ from those of an older edge.
func (e *edge) partial(old *edge) []store.Tile {
	var out []store.Tile
	for level, data := range e.tiles {
		n := e.size >> (tileHeight * (level + 1))
		same := level < len(old.tiles) && len(old.tiles[level]) == len(data) && old.size>>(tileHeight*(level+1)) == n
		if len(data) > 0 && !same {
			out = append(out, store.Tile{Level: int64(level), N: n, Data: data})
		}
	}
	return out
}

// root is the root of the tree, computed from its edge alone.
func (e *edge) root() (tlog.Hash, error) { return tlog.TreeHash(e.size, e) }

// ReadHashes gives the hashes of the perfect subtrees that make up the tree: all of them
// end in the edge.
func (e *edge) ReadHashes(indexes []int64) ([]tlog.Hash, error) {
	out := make([]tlog.Hash, len(indexes))
	for i, x := range indexes {
		t := tlog.TileForIndex(tileHeight, x)
		if t.L >= len(e.tiles) || t.N != e.size>>(tileHeight*(t.L+1)) {
			return nil, fmt.Errorf("hash %d does not lie in the edge of a tree of %d", x, e.size)
		}
		t.W = len(e.tiles[t.L]) / tlog.HashSize
		h, err := tlog.HashFromTile(t, e.tiles[t.L], x)
		if err != nil {
			return nil, err
		}
		out[i] = h
	}
	return out, nil
}

// hashes reads a tree from its tiles in the database. Whatever it gives is proven to be
// in the tree of the head: a tile that was changed is an error with errTiles.
func hashes(ctx context.Context, v *store.View, epoch int64, t tlog.Tree) tlog.HashReader {
	known := map[tlog.Tile][]byte{} // read before, by the same question
	r := tlog.TileHashReader(t, tileReader{func(want []tlog.Tile) ([][]byte, error) {
		var rows []store.Tile
		for _, w := range want {
			if known[w] == nil {
				rows = append(rows, store.Tile{Level: int64(w.L), N: w.N})
			}
		}
		if err := v.Tiles(ctx, epoch, rows); err != nil {
			return nil, err
		}
		data := make([][]byte, len(want))
		for i, w := range want {
			if known[w] == nil {
				known[w], rows = rows[0].Data, rows[1:]
			}
			if data[i] = known[w]; len(data[i]) < w.W*tlog.HashSize {
				return nil, fmt.Errorf("%w: tile %s is missing or short", errTiles, TilePath(w))
			}
			data[i] = data[i][:w.W*tlog.HashSize]
		}
		return data, nil
	}})
	return tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		out, err := r.ReadHashes(indexes)
		if err != nil && ctx.Err() == nil && !errors.Is(err, errTiles) && err.Error() == "downloaded inconsistent tile" {
			err = fmt.Errorf("%w: %w", errTiles, err)
		}
		return out, err
	})
}

type tileReader struct {
	read func([]tlog.Tile) ([][]byte, error)
}

// Height is that of all our tiles.
func (tileReader) Height() int { return tileHeight }

// ReadTiles reads from the database.
func (t tileReader) ReadTiles(tiles []tlog.Tile) ([][]byte, error) { return t.read(tiles) }

// SaveTiles has nothing to do: they are in the database.
func (tileReader) SaveTiles([]tlog.Tile, [][]byte) {}

func treeOf(h store.Head) tlog.Tree { return tlog.Tree{N: h.Size, Hash: tlog.Hash(h.Root)} }

// rootAt is the root that the tree of the head had at a smaller size.
func rootAt(ctx context.Context, v *store.View, head store.Head, size int64) (tlog.Hash, error) {
	if size == head.Size {
		// The tiles are asked too: a head alone is easily written.
		if _, err := hashes(ctx, v, head.Epoch, treeOf(head)).ReadHashes([]int64{tlog.StoredHashIndex(0, size-1)}); err != nil {
			return tlog.Hash{}, err
		}
		return tlog.Hash(head.Root), nil
	}
	return tlog.TreeHash(size, hashes(ctx, v, head.Epoch, treeOf(head)))
}
