package ledger

import (
	"context"
	"hash/maphash"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"

	"verdict/evidence"
	"verdict/store"
)

// Bills are compared by what they list and not by ids, which are chosen as components
// come. The bitmaps are compared with the bills: which numbers a component has in one,
// it must have in the other.

// bill hashes a bill without its components and where it ends.
func (h *rowHasher) bill(b store.Bill) rowSum {
	h.begin(rowBill, b.From, b.Listed, b.Nameless)
	return h.words(string(b.About), b.Source.Producer, b.Source.Service, b.Source.Environment, b.Inventory)
}

func (h *rowHasher) component(c store.Component) rowSum {
	h.begin(rowComponent)
	return h.words(c.Ecosystem, c.Name, c.Version, c.Licence)
}

// lists hashes that a bill lists a component.
func (h *rowHasher) lists(from int64, component rowSum) rowSum {
	h.begin(rowLists, from, int64(component[0]), int64(component[1]))
	return h.sum()
}

// whole is a computed bill with all that it lists.
func (h *rowHasher) whole(b *store.Bill) rowSum {
	sum := h.bill(*b)
	for _, c := range b.Components {
		sum.add(h.lists(b.From, h.component(c)))
	}
	return sum
}

// bills takes the bills of the tables off the sums. What they list is kept as a sum over
// numbers and ids, to be held against the bitmaps.
type bills struct {
	hash       rowHasher
	components map[int64]rowSum
	folded     int64
	seed       maphash.Seed
	links      uint64 // of bills before folded
	unfolded   map[uint32][]int64
	strange    bool // a bill names a component that is not there, or the mark is of no bill
}

func (x *verification) newBills(ctx context.Context, v *store.View) (*bills, error) {
	b := &bills{hash: x.rows.hasher(), components: map[int64]rowSum{}, seed: maphash.MakeSeed(), unfolded: map[uint32][]int64{}}
	err := v.EachComponent(ctx, func(id int64, c store.Component) error {
		b.components[id] = b.hash.component(c)
		return nil
	})
	if err != nil {
		return b, err
	}
	var end int64
	b.folded, end, err = v.Folded(ctx)
	b.strange = b.folded < 0 || b.folded > end // what is recorded next would not be found
	return b, err
}

func (b *bills) link(number uint32, component int64) uint64 {
	return maphash.Comparable(b.seed, [2]int64{int64(number), component})
}

// sum is that of a stored bill with all that it lists.
func (b *bills) sum(r store.Bill) rowSum {
	sum := b.hash.bill(r)
	for _, id := range r.IDs {
		c, known := b.components[id]
		b.strange = b.strange || !known
		sum.add(b.hash.lists(r.From, c))
	}
	return sum
}

func (b *bills) take(r store.Bill) rowSum {
	if r.Number >= b.folded {
		b.unfolded[uint32(r.Number)] = r.IDs
	} else {
		for _, id := range r.IDs {
			b.links += b.link(uint32(r.Number), id)
		}
	}
	return b.sum(r)
}

// bitmaps compares them with the bills that were taken.
func (x *verification) bitmaps(ctx context.Context, v *store.View, b *bills) error {
	wrong := b.strange
	err := v.EachSegment(ctx, func(component int64, set *roaring.Bitmap) error {
		set.Iterate(func(number uint32) bool {
			switch ids, early := b.unfolded[number]; {
			case int64(number) < b.folded:
				b.links -= b.link(number, component)
			case !early || !slices.Contains(ids, component):
				wrong = true
			}
			return true
		})
		return ctx.Err()
	})
	if err != nil && ctx.Err() == nil {
		wrong, err = true, nil
	}
	if wrong || b.links != 0 {
		x.problem(-1, remedyTamper, "the component index does not lead to the bills of materials that list a component: it was changed")
	}
	return err
}

// foreignBill adds what a foreign bundle lists, which its ingestion does not say.
func (p *piece) foreignBill(ctx context.Context, v *store.View, r store.Entry, raw []byte) error {
	if r.Bills != 1 {
		return nil
	}
	if r.Blobs > 0 && p.x.own.besideLost(ctx, raw) {
		return p.lostBill(ctx, v, r)
	}
	b, err := p.x.own.listForeign(ctx, r, raw)
	if err != nil {
		p.problem(r.Seq, "the foreign statement of entry %d cannot be read: %v", r.Seq, err)
	}
	if b != nil {
		p.rows.add(p.hash.whole(b))
		p.replacing = append(p.replacing, p.hash.replacing(&projection{bill: b})...)
	}
	return nil
}

// besideLost reports whether the blob cannot be had that a foreign bundle names.
func (l *Ledger) besideLost(ctx context.Context, raw []byte) bool {
	b, err := evidence.ParseBundle(raw)
	if err != nil {
		return false
	}
	s, err := b.Statement()
	return err == nil && l.billLost(ctx, s)
}

// billLost reports whether a bill lies beside its statement and cannot be had.
func (l *Ledger) billLost(ctx context.Context, s *evidence.Statement) bool {
	stored, ok := storedBill(s)
	if !ok {
		return false
	}
	_, err := l.blobs.Get(ctx, stored.Digest)
	return err != nil
}

// lostBill takes from the index which bill a foreign one replaced whose bundle is not there.
func (p *piece) lostBill(ctx context.Context, v *store.View, r store.Entry) error {
	b, found, err := v.BillOf(ctx, r.Seq)
	if found {
		p.unlisted = append(p.unlisted, r.Seq)
		p.replacing = append(p.replacing, p.hash.replacing(&projection{bill: &b})...)
	}
	return err
}

// foreignBillOf computes a foreign bill again, nil where it cannot be: that was said when
// the bundle was read.
func (x *verification) foreignBillOf(ctx context.Context, v *store.View, r store.Entry) *store.Bill {
	raw, err := x.own.foreignIn(ctx, v, r)
	if err != nil {
		return nil
	}
	b, err := x.own.listForeign(ctx, r, raw)
	if err != nil {
		return nil
	}
	return b
}
