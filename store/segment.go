package store

import (
	"context"
	"fmt"
	"maps"
	"math"
	"slices"

	"github.com/RoaringBitmap/roaring/v2"
)

// Bills are numbered, and each component has the numbers of the bills that list it as
// sets, one for each segment of 65,536 bills. A bill is not put into hundreds of
// bitmaps when it is recorded: the newest ones are looked through one by one, until Fold
// puts them in, a part of the components at a time. Putting a bill in again changes
// nothing, so a fold that broke off is done again from its beginning.

const (
	segmentBits = 16
	foldBills   = 1 << 15 // bills that one fold takes in at most
	foldWords   = 256     // components that it writes in one transaction
)

const (
	// Index: none, one row; bill by its primary key, its last row.
	foldedStatement = `SELECT COALESCE((SELECT folded FROM component_index WHERE id = 0), -1), COALESCE((SELECT MAX(number) FROM bill), -1)`

	// Index: none, one row.
	moveFoldedStatement = `UPDATE component_index SET folded = $1 WHERE id = 0 AND folded < $1`

	// Index: primary key of bill_component, a range in order.
	unfoldedStatement = `SELECT number, components FROM bill_component WHERE number >= $1 AND number < $2 ORDER BY number`

	// Index: primary key of component_segment.
	segmentStatement = `SELECT bills FROM component_segment WHERE component = $1 AND segment = $2`

	// Index: primary key of component_segment. The values follow.
	segmentsStatement = `SELECT bills FROM component_segment WHERE component IN (`

	// Index: none, the whole table.
	allSegmentsStatement = `SELECT component, segment, bills FROM component_segment`

	// Index: primary key of component_segment.
	putSegmentStatement = `INSERT INTO component_segment (component, segment, bills) VALUES ($1, $2, $3) ON CONFLICT (component, segment) DO UPDATE SET bills = excluded.bills`
)

// folded says from which number on bills are looked through, and the number after the last.
// Where the row that says it is gone, all of them are: that is slow, and loses none.
func (v *View) folded(ctx context.Context) (from, end int64, err error) {
	from, end, err = v.Folded(ctx)
	return max(from, 0), end, err
}

// Folded is the number from which on bills may be in some bitmaps and not in others, and
// the number after the last. The first is below 0 where the database does not say it, and
// never more than the second where nobody changed it.
func (v *View) Folded(ctx context.Context) (from, end int64, err error) {
	_, err = v.one(ctx, foldedStatement, nil, &from, &end)
	return from, end + 1, err
}

// Fold puts bills into the bitmaps when least of them or more are not in yet, and reports
// whether it did. Others may read, write and fold meanwhile.
func (s *Store) Fold(ctx context.Context, least int64) (bool, error) {
	var from, end int64
	places := map[place][]uint32{}
	err := s.View(ctx, func(v *View) (err error) {
		if from, end, err = v.folded(ctx); err != nil || end-from < max(least, 1) {
			return err
		}
		end = min(end, from+foldBills)
		return v.eachUnfolded(ctx, from, end, func(number int64, ids []int64) {
			for _, id := range ids {
				p := place{id, number >> segmentBits}
				places[p] = append(places[p], uint32(number))
			}
		})
	})
	if err != nil || end-from < max(least, 1) {
		return false, err
	}
	order := slices.SortedFunc(maps.Keys(places), place.compare)
	for part := range slices.Chunk(order, foldWords) {
		if err := s.foldPart(ctx, part, places); err != nil {
			return false, fmt.Errorf("fold the component index: %w", err)
		}
	}
	err = s.engine.Write(ctx, func(Reader) ([]Statement, error) {
		return []Statement{{SQL: moveFoldedStatement, Args: []any{end}}}, nil
	})
	return err == nil, err
}

// place is one bitmap.
type place struct{ component, segment int64 }

func (p place) compare(o place) int {
	if p.component != o.component {
		return int(max(min(p.component-o.component, 1), -1))
	}
	return int(p.segment - o.segment)
}

func (s *Store) foldPart(ctx context.Context, part []place, places map[place][]uint32) error {
	return s.engine.Write(ctx, func(r Reader) ([]Statement, error) {
		sets := make([]*roaring.Bitmap, len(part))
		ask := make([]Statement, len(part))
		for i, p := range part {
			sets[i] = roaring.New()
			ask[i] = Statement{SQL: segmentStatement, Args: []any{p.component, p.segment}, Each: func(r Row) error { return addSegment(sets[i], r) }}
		}
		if err := r.Run(ctx, ask...); err != nil {
			return nil, err
		}
		out := make([]Statement, len(part))
		for i, p := range part {
			sets[i].AddMany(places[p])
			b, err := packSet(sets[i])
			if err != nil {
				return nil, err
			}
			out[i] = Statement{SQL: putSegmentStatement, Args: []any{p.component, p.segment, b}}
		}
		return out, nil
	})
}

// addSegment adds the bitmap of a row, whose only column it is.
func addSegment(to *roaring.Bitmap, r Row) error {
	var b []byte
	if err := r.Scan(&b); err != nil {
		return err
	}
	x, err := readBitmap(b)
	if err == nil {
		to.Or(x)
	}
	return err
}

// The forms of a set of numbers, as its first byte. Of most components few bills are in a
// segment: their distances take a byte each, and a bitmap two.
const (
	formBitmap    = 'b'
	formDistances = 'd'
)

// packSet writes a set in the shorter form.
func packSet(x *roaring.Bitmap) ([]byte, error) {
	x.RunOptimize()
	bitmap, err := x.ToBytes()
	if err != nil || x.IsEmpty() {
		return append([]byte{formBitmap}, bitmap...), err
	}
	numbers := make([]int64, 0, x.GetCardinality())
	for it := x.Iterator(); it.HasNext(); {
		numbers = append(numbers, int64(it.Next())+1) // packIDs writes no 0
	}
	if distances := packIDs(numbers); len(distances) < len(bitmap) {
		return append([]byte{formDistances}, distances...), nil
	}
	return append([]byte{formBitmap}, bitmap...), nil
}

func readBitmap(b []byte) (*roaring.Bitmap, error) {
	x := roaring.New()
	var err error
	switch {
	case len(b) > 0 && b[0] == formDistances:
		var numbers []int64
		if numbers, err = unpackIDs(b[1:]); err == nil && len(numbers) > 0 && numbers[len(numbers)-1] > math.MaxUint32 {
			err = errIDs
		}
		for _, n := range numbers {
			x.Add(uint32(n - 1))
		}
	case len(b) > 0 && b[0] == formBitmap:
		err = x.UnmarshalBinary(b[1:])
	default:
		err = errIDs
	}
	if err != nil {
		return nil, fmt.Errorf("a bitmap of the component index: %w", err)
	}
	return x, nil
}

func (v *View) eachUnfolded(ctx context.Context, from, end int64, each func(number int64, ids []int64)) error {
	return v.r.Run(ctx, Statement{SQL: unfoldedStatement, Args: []any{from, end}, Each: func(r Row) error {
		var number int64
		var packed []byte
		if err := r.Scan(&number, &packed); err != nil {
			return err
		}
		ids, err := unpackIDs(packed)
		if err != nil || number > math.MaxUint32 {
			return fmt.Errorf("bill %d: %w", number, errIDs)
		}
		each(number, ids)
		return nil
	}})
}

// BillsWith gives the numbers of all bills that list any of the components.
func (v *View) BillsWith(ctx context.Context, components []int64) (*roaring.Bitmap, error) {
	out := roaring.New()
	if len(components) == 0 {
		return out, nil
	}
	var ask []Statement
	wanted := make(map[int64]bool, len(components))
	for part := components; len(part) > 0; {
		n := chunk(len(part), 1)
		args := make([]any, n)
		for i, id := range part[:n] {
			args[i], wanted[id] = id, true
		}
		part = part[n:]
		ask = append(ask, Statement{SQL: statement(segmentsStatement, n, 1, ")"), Args: args, Each: func(r Row) error { return addSegment(out, r) }})
	}
	if err := v.r.Run(ctx, ask...); err != nil {
		return nil, err
	}
	from, end, err := v.folded(ctx)
	if err != nil || from == end {
		return out, err
	}
	return out, v.eachUnfolded(ctx, from, end, func(number int64, ids []int64) {
		if slices.ContainsFunc(ids, func(id int64) bool { return wanted[id] }) {
			out.Add(uint32(number))
		}
	})
}

// EachSegment calls each with every bitmap.
func (v *View) EachSegment(ctx context.Context, each func(component int64, bills *roaring.Bitmap) error) error {
	return v.r.Run(ctx, Statement{SQL: allSegmentsStatement, Each: func(r Row) error {
		var component, segment int64
		var b []byte
		if err := r.Scan(&component, &segment, &b); err != nil {
			return err
		}
		x, err := readBitmap(b)
		if err == nil && !x.IsEmpty() && (int64(x.Minimum())>>segmentBits != segment || int64(x.Maximum())>>segmentBits != segment) {
			err = fmt.Errorf("a bitmap of the component index lies in segment %d, and its bills do not", segment)
		}
		if err != nil {
			return err
		}
		return each(component, x)
	}})
}
