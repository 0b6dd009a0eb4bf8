package ledger

import (
	"context"

	"golang.org/x/mod/sumdb/tlog"

	"verdict/store"
)

// treeCheck builds the tree of one epoch from leaves in order.
type treeCheck struct {
	x        *verification
	head     store.Head
	edge     *edge
	met      []met               // to be met on the way
	cosigned []store.Cosignature // to be met on the way, the smallest tree first
	broken   bool                // the tree is known to be another one
	other    []int64             // positions where the lowest tile holds another leaf
}

// take adds the leaves of the next piece.
func (t *treeCheck) take(ctx context.Context, p *piece) error {
	x := t.x
	x.report.Verified += p.verified
	x.report.Pruned += p.pruned
	x.hidden(p)
	x.report.Signatures += p.signatures
	x.skip = append(x.skip, p.skip...)
	for _, seq := range p.unlisted {
		x.unlisted[seq] = true
	}
	for _, f := range p.problems {
		x.problem(f.Index, f.Remedy, "%s", f.What)
	}
	for _, f := range p.unchecked {
		x.unchecked(f.Index, f.Remedy, "%s", f.What)
	}
	t.broken = t.broken || len(p.problems)+len(p.unchecked)+len(p.other) > 0
	if len(t.other) < maxProblems {
		t.other = append(t.other, p.other...)
	}
	var filled []store.Tile
	for i, leaf := range p.leaves {
		seq := p.from + int64(i)
		if at := p.times[i]; at != 0 {
			if at < x.last {
				x.problem(seq, remedyTamper, "entry %d was recorded before the entry in front of it: one of the two times was changed", seq)
			}
			x.last = at
		}
		if r := p.receipts[seq]; r != nil {
			t.receipt(seq, p.times[i], r)
		}
		if seq == t.head.Base && t.head.Epoch > 1 {
			t.begins(seq, p.epoch)
		}
		t.edge.add(leaf, func(tile store.Tile) {
			if tile.Level > 0 { // the lowest level was compared leaf by leaf
				filled = append(filled, tile)
			}
		})
		if err := t.meet(); err != nil {
			return err
		}
	}
	x.blobs(ctx, p.uses)
	if x.own != nil {
		x.rows.at(p.from).add(p.rows)
		x.rows.replace(p.replacing)
	} else if len(x.report.Problems) == maxProblems { // who shows nothing that holds need not be asked for ever
		return errEnough
	}
	x.done += int64(len(p.leaves))
	if x.o.Progress != nil {
		x.o.Progress(x.done, x.end)
	}
	return t.compare(ctx, filled)
}

// meet compares with the trees of this size that somebody has seen.
func (t *treeCheck) meet() error {
	t.known()
	t.held()
	return t.witnessed()
}

// met is a tree that somebody has seen.
type met struct {
	tree tlog.Tree // N is 0 for none
	what string    // that names it
}

// known compares with what was seen before when the tree is as large as that.
func (t *treeCheck) known() {
	for _, m := range t.met {
		if m.tree.N == 0 || t.edge.size != m.tree.N {
			continue
		}
		if root, err := t.edge.root(); err != nil || root != m.tree.Hash {
			if t.x.own == nil && m.what == seenHere {
				t.x.report.Anchor = "refuses"
			}
			t.x.problem(-1, remedyTamper, "the first %d entries of %s are not those of %s", m.tree.N, t.head.Origin, m.what)
		}
	}
}

// receipt checks what the log signed about the entries before it.
func (t *treeCheck) receipt(seq, at int64, r *Receipt) {
	root, err := t.edge.root()
	switch {
	case err != nil || r.Origin != t.head.Origin || r.To != seq || r.Size != t.edge.size || r.From < t.head.Base || r.From > r.To:
		t.x.problem(seq, remedyTamper, "the receipt in entry %d is not one for the entries before it", seq)
	case r.Root != root:
		t.x.problem(seq, remedyTamper, "the receipt in entry %d was signed for other entries than those from %d to %d", seq, r.From, r.To)
	case micros(r.At) != at:
		t.x.problem(seq, remedyTamper, "the time at which entry %d was recorded is not the one that its receipt was signed with", seq)
	}
}

// begins checks what the first leaf of an epoch says about the one before.
func (t *treeCheck) begins(seq int64, e *Epoch) {
	x := t.x
	n := len(x.report.Epochs) - 1
	if n == 0 { // the epoch before is gone, which was said
		return
	}
	before := x.report.Epochs[n-1]
	if e == nil || e.Origin != t.head.Origin || e.Checkpoint != t.head.Previous || e.LostTo != t.head.Base || e.LostFrom != before.Base+before.Size {
		x.problem(seq, remedyTamper, "entry %d does not begin the epoch %s as %s has it", seq, t.head.Origin, x.place("the database"))
	} else if e.Survived != before.Size || e.Root != before.Root {
		x.problem(seq, remedyTamper, "the entries of %s are not those that entry %d found when it closed that log", before.Origin, seq)
	}
}

// compare holds tiles above the lowest level against the database.
func (t *treeCheck) compare(ctx context.Context, computed []store.Tile) error {
	if len(computed) == 0 || t.broken {
		return nil
	}
	stored := make([]store.Tile, len(computed))
	for i, c := range computed {
		stored[i] = store.Tile{Level: c.Level, N: c.N}
	}
	if err := t.x.from.tiles(ctx, t.head, stored); err != nil {
		return err
	}
	for i, c := range computed {
		if string(stored[i].Data) != string(c.Data) {
			first := t.head.Base + c.N<<(tileHeight*(c.Level+1))
			t.x.problem(first, remedyTamper, "tile %d/%d of %s, over the entries from %d on, is not what its leaves give", c.Level, c.N, t.head.Origin, first)
		}
	}
	return nil
}

// finish compares the root.
func (t *treeCheck) finish() error {
	root, err := t.edge.root()
	if err != nil {
		return err
	}
	t.beyond()
	t.behind()
	t.x.report.Epochs[len(t.x.report.Epochs)-1].Root = root
	h := t.head
	tiles := t.edge.size == h.Size && string(root[:]) == string(h.Root)
	for _, seq := range t.other {
		if tiles {
			t.x.problem(seq, remedyTamper, "the tile over entry %d was changed: the entry itself is what was logged", seq)
		} else {
			t.x.problem(seq, remedyTamper, "entry %d is not what was logged: its body, its signature or its place was changed", seq)
		}
	}
	if t.edge.size != h.Size || string(root[:]) != string(h.Root) {
		t.x.problem(-1, remedyTamper, "the %d leaves of %s do not give the root that its head names", t.edge.size, h.Origin)
	}
	if h.Size > 0 && h.Latest != t.x.last && t.x.report.Unseen == 0 {
		t.x.problem(-1, remedyTamper, "the head of %s names another time than its last entry", h.Origin)
	}
	return nil
}
