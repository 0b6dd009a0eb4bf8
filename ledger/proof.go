package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// InclusionProof shows that a leaf is in the tree of a checkpoint.
type InclusionProof struct {
	Index      int64       `json:"index"`      // the entry
	Leaf       int64       `json:"leaf_index"` // its place in the tree of its epoch
	LeafHash   tlog.Hash   `json:"leaf_hash"`
	Hashes     []tlog.Hash `json:"hashes"` // RFC 6962, from the leaf up
	Checkpoint Checkpoint  `json:"checkpoint"`
}

// Check recomputes the proof. It does not check the checkpoint's signature.
func (p InclusionProof) Check() error {
	return tlog.CheckRecord(p.Hashes, p.Checkpoint.Size, p.Checkpoint.Root, p.Leaf, p.LeafHash)
}

// Text is the proof as a C2SP tlog-proof, which other tools check offline.
func (p InclusionProof) Text() string {
	return string(torchwood.FormatProof(p.Leaf, p.Hashes, []byte(p.Checkpoint.Note)))
}

// Inclusion proves an entry against the latest checkpoint of its epoch.
func (l *Ledger) Inclusion(ctx context.Context, index int64) (InclusionProof, error) {
	return l.InclusionAt(ctx, index, Now)
}

// InclusionAt proves an entry against the checkpoint that its epoch had at a position.
func (l *Ledger) InclusionAt(ctx context.Context, index int64, at Position) (InclusionProof, error) {
	var p InclusionProof
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		head, err := l.epochOf(ctx, v, head, index)
		if err != nil {
			return err
		}
		if p, err = l.prove(ctx, v, head, index, at); err != nil {
			return fmt.Errorf("proof of entry %d: %w", index, err)
		}
		return nil
	})
	return p, err
}

// epochOf finds the epoch that an entry is in.
func (l *Ledger) epochOf(ctx context.Context, v *store.View, head store.Head, index int64) (store.Head, error) {
	if index >= head.Base && index < head.Base+head.Size {
		return head, nil
	}
	epochs, err := v.Epochs(ctx)
	if err != nil {
		return store.Head{}, err
	}
	for _, h := range epochs {
		if index >= h.Base && index < h.Base+h.Size {
			return h, nil
		}
	}
	return store.Head{}, noEntry(index)
}

func (l *Ledger) prove(ctx context.Context, v *store.View, head store.Head, index int64, at Position) (InclusionProof, error) {
	p := InclusionProof{Index: index, Leaf: index - head.Base}
	tree := treeOf(head)
	reader := hashes(ctx, v, head.Epoch, tree)
	if at >= 0 && int64(at)-head.Base < head.Size {
		tree.N = int64(at) - head.Base
		if p.Leaf >= tree.N {
			return p, noEntry(index)
		}
		var err error
		if tree.Hash, err = tlog.TreeHash(tree.N, reader); err != nil {
			return p, err
		}
	}
	// The leaf is asked for together with the proof: each question proves its tiles anew.
	var leaf []tlog.Hash
	place := tlog.StoredHashIndex(0, p.Leaf)
	proof, err := tlog.ProveRecord(tree.N, p.Leaf, tlog.HashReaderFunc(func(indexes []int64) ([]tlog.Hash, error) {
		all, err := reader.ReadHashes(append(slices.Clone(indexes), place))
		if err != nil {
			return nil, err
		}
		leaf = all[len(indexes):]
		return all[:len(indexes)], nil
	}))
	if err == nil && leaf == nil { // the only leaf of its tree
		leaf, err = reader.ReadHashes([]int64{place})
	}
	if err != nil {
		return p, err
	}
	p.Hashes, p.LeafHash = append([]tlog.Hash{}, proof...), leaf[0]
	sized := head
	sized.Size, sized.Root = tree.N, tree.Hash[:]
	p.Checkpoint, err = l.checkpointOf(sized)
	return p, err
}

// checkpointOf signs for the open epoch. A closed one is signed by a key that may be
// gone: its last checkpoint was kept by the epoch after it, and smaller ones have no
// signature.
func (l *Ledger) checkpointOf(h store.Head) (Checkpoint, error) {
	if l.signer != nil && h.Origin == l.signer.Name() {
		return l.sign(h)
	}
	return Checkpoint{Origin: h.Origin, Size: h.Size, Root: tlog.Hash(h.Root), Position: Position(h.Base + h.Size)}, nil
}

// ConsistencyProof shows that one tree continues another.
type ConsistencyProof struct {
	From   Checkpoint  `json:"from"`
	To     Checkpoint  `json:"to"`
	Hashes []tlog.Hash `json:"hashes"` // RFC 6962
}

// Check recomputes the proof. It does not check the signatures of the checkpoints.
func (p ConsistencyProof) Check() error {
	if p.From.Size == p.To.Size && len(p.Hashes) == 0 {
		if p.From.Root != p.To.Root {
			return errors.New("two trees of one size with two roots")
		}
		return nil
	}
	return tlog.CheckTree(p.Hashes, p.To.Size, p.To.Root, p.From.Size, p.From.Root)
}

// Consistency proves that the open epoch at the size to continues what it was at the
// size from. A negative size means the latest.
func (l *Ledger) Consistency(ctx context.Context, from, to int64) (ConsistencyProof, error) {
	var p ConsistencyProof
	err := l.view(ctx, func(v *store.View, head store.Head) error {
		if to < 0 {
			to = head.Size
		}
		if from < 0 {
			from = head.Size
		}
		if from == 0 || from > to || to > head.Size {
			return &verdict.Error{
				Code: verdict.CodeInvalid, What: fmt.Sprintf("there is no proof from size %d to size %d of a log of %d entries", from, to, head.Size),
				Remedy: "give two sizes in order, both above zero and not above the size that verdict log checkpoint prints",
			}
		}
		var err error
		reader := hashes(ctx, v, head.Epoch, treeOf(head))
		for size, c := range map[int64]*Checkpoint{from: &p.From, to: &p.To} {
			h := head
			if size < head.Size {
				root, err := tlog.TreeHash(size, reader)
				if err != nil {
					return err
				}
				h.Size, h.Root = size, root[:]
			}
			if *c, err = l.checkpointOf(h); err != nil {
				return err
			}
		}
		if from == to {
			p.From, p.Hashes = p.To, []tlog.Hash{}
			return nil
		}
		proof, err := tlog.ProveTree(to, from, reader)
		p.Hashes = append([]tlog.Hash{}, proof...)
		return err
	})
	return p, err
}

// Leaf gives the bytes of a leaf: the hashedrekord of the logged bundle.
func (l *Ledger) Leaf(ctx context.Context, index int64) ([]byte, error) {
	var r store.Entry
	found := false
	err := l.view(ctx, func(v *store.View, _ store.Head) (err error) {
		r, found, err = v.Body(ctx, index)
		return err
	})
	if err == nil && !found {
		err = noEntry(index)
	}
	if err != nil {
		return nil, err
	}
	keys, _ := l.keyring()
	return l.leafOf(ctx, keys, r)
}

// leafOf computes the leaf of a row from its body. Only a row whose body was pruned
// holds its leaf.
func (l *Ledger) leafOf(ctx context.Context, keys *keyring, r store.Entry) ([]byte, error) {
	if r.Leaf != nil {
		return r.Leaf, nil
	}
	payload, err := l.payload(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("body of entry %d: %w", r.Seq, err)
	}
	b, err := bundleOf(payload, r)
	if err != nil {
		return nil, fmt.Errorf("body of entry %d: %w", r.Seq, err)
	}
	public, ok := keys.public[r.Signer]
	if !ok {
		return nil, fmt.Errorf("entry %d: its key %s is not enrolled", r.Seq, r.Signer)
	}
	return evidence.Hashedrekord(b, public)
}

// ResolveTile gives what C2SP tlog-tiles serves at a path below the log's prefix:
// "checkpoint", "tile/L/N[.p/W]" or "tile/entries/N[.p/W]" of the open epoch.
func (l *Ledger) ResolveTile(ctx context.Context, path string) ([]byte, error) {
	if path == "checkpoint" {
		c, err := l.Checkpoint(ctx)
		return []byte(c.Note), err
	}
	t, err := ParseTilePath(path)
	if err != nil {
		return nil, err
	}
	var out []byte
	err = l.view(ctx, func(v *store.View, head store.Head) (err error) {
		out, err = l.tile(ctx, v, head, t)
		return err
	})
	return out, err
}

// tile gives a tile of an epoch. Tiles that the tree does not have yet are not found.
func (l *Ledger) tile(ctx context.Context, v *store.View, head store.Head, t tlog.Tile) ([]byte, error) {
	level := max(t.L, 0)
	if level > 7 || t.N < 0 || t.N > head.Size>>tileHeight || t.N<<tileHeight+int64(t.W) > head.Size>>(tileHeight*level) {
		return nil, noTile(head.Origin, t)
	}
	if t.L < 0 {
		return l.entryTile(ctx, v, head, t)
	}
	rows := []store.Tile{{Level: int64(t.L), N: t.N}}
	if err := v.Tiles(ctx, head.Epoch, rows); err != nil {
		return nil, err
	}
	if len(rows[0].Data) < t.W*tlog.HashSize {
		return nil, fmt.Errorf("%w: tile %s is missing or short", errTiles, TilePath(t))
	}
	return rows[0].Data[:t.W*tlog.HashSize], nil
}

func noTile(origin string, t tlog.Tile) error {
	return &verdict.Error{
		Code: verdict.CodeNotFound, What: fmt.Sprintf("the log %s has no tile %s", origin, TilePath(t)),
		Remedy: "ask for the tiles of the checkpoint that verdict log checkpoint prints",
	}
}

// entryTile is the leaves themselves, each behind its length in two bytes.
func (l *Ledger) entryTile(ctx context.Context, v *store.View, head store.Head, t tlog.Tile) ([]byte, error) {
	keys, err := l.keysSince(ctx, v, l.keysNow())
	if err != nil {
		return nil, err
	}
	var out []byte
	first := head.Base + t.N<<tileHeight
	next := first
	err = v.EachBody(ctx, first, first+int64(t.W), func(r store.Entry) error {
		if r.Seq != next {
			return fmt.Errorf("entry %d is gone", next)
		}
		next++
		leaf, err := l.leafOf(ctx, keys, r)
		if err != nil {
			return err
		}
		out, err = torchwood.AppendTileEntry(out, leaf)
		return err
	})
	if err == nil && next != first+int64(t.W) {
		err = fmt.Errorf("entry %d is gone", next)
	}
	return out, err
}
