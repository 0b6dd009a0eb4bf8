package ledger

import (
	"cmp"
	"context"
	"encoding/binary"
	"fmt"
	"hash/maphash"
	"slices"

	"verdict/store"
)

// Index rows are compared as sets. Each row has a hash of 128 bits under a key that is
// drawn anew for each run, so that nobody can choose rows whose sums cancel; the sum over
// what bodies give, minus the sum over what the tables hold, is zero for each run of
// entries in which they agree. Tables are read in whatever order is quickest, and only
// where a sum is not zero are rows looked at one by one.

// rowSum is a sum of row hashes.
type rowSum [2]uint64

func (s *rowSum) add(h rowSum) { s[0] += h[0]; s[1] += h[1] }
func (s *rowSum) sub(h rowSum) { s[0] -= h[0]; s[1] -= h[1] }

// The tables, as part of what is hashed.
const (
	rowSubject byte = iota
	rowDecision
	rowRegister
	rowForeign
	rowUse
	rowRunning
	rowBill
	rowComponent
	rowLists // that a bill lists a component
	rowEnd   // where a decision, a register, a bill or what runs ends
)

// rowHasher hashes rows. It is not safe for use by several goroutines.
type rowHasher struct {
	seeds [2]maphash.Seed
	buf   []byte
}

func (h *rowHasher) sum() rowSum {
	return rowSum{maphash.Bytes(h.seeds[0], h.buf), maphash.Bytes(h.seeds[1], h.buf)}
}

func (h *rowHasher) begin(table byte, numbers ...int64) {
	h.buf = append(h.buf[:0], table)
	for _, n := range numbers {
		h.buf = binary.BigEndian.AppendUint64(h.buf, uint64(n))
	}
}

func (h *rowHasher) words(words ...string) rowSum {
	for _, w := range words {
		h.buf = append(binary.AppendUvarint(h.buf, uint64(len(w))), w...)
	}
	return h.sum()
}

func (h *rowHasher) subject(s store.Subject) rowSum {
	h.begin(rowSubject, s.From, s.To)
	return h.words(s.Digest, s.Kind)
}

func (h *rowHasher) decision(d store.Decision) rowSum {
	h.begin(rowDecision, d.From, d.At, d.Expires)
	return h.words(d.ID, d.Point, d.Subject, d.Name, d.Service, d.Environment, d.Mode, d.Outcome, d.Enforced)
}

func (h *rowHasher) register(r store.Register) rowSum {
	h.begin(rowRegister, r.From)
	return h.words(r.Kind, r.ID, r.About)
}

func (h *rowHasher) foreign(from, to, size int64) rowSum {
	h.begin(rowForeign, from, to, size)
	return h.sum()
}

func (h *rowHasher) use(u store.BlobUse) rowSum {
	h.begin(rowUse, u.From, u.To)
	return h.words(u.Digest, u.Role)
}

func (h *rowHasher) running(r store.Running) rowSum {
	h.begin(rowRunning, r.From, r.At)
	return h.words(r.Environment, r.Service, r.Name, r.Digest, r.Decision)
}

func (h *rowHasher) end(table byte, from, to int64) rowSum {
	h.begin(rowEnd, int64(table), from, to)
	return h.sum()
}

// projection adds the rows of one statement, all but where they end and what runs, which
// depend on the statements before and behind it.
func (h *rowHasher) projection(s *rowSum, p *projection) {
	for _, x := range p.subjects {
		s.add(h.subject(x))
	}
	if p.decision != nil {
		s.add(h.decision(*p.decision))
	}
	for _, r := range p.registers {
		s.add(h.register(r))
	}
	if p.foreign != nil {
		s.add(h.foreign(p.entry.Seq, store.Open, p.foreign.Size))
	}
	for _, u := range p.uses {
		s.add(h.use(u))
	}
	if p.bill != nil {
		s.add(h.whole(p.bill))
	}
}

// replacing is a row that ends the one before it under the same key.
type replacing struct {
	from  int64
	table byte
	key   rowSum
	run   *store.Run // what it says of what runs, and nothing else
}

func (h *rowHasher) replacing(p *projection) []replacing {
	var out []replacing
	if d := p.decision; d != nil {
		h.begin(rowDecision)
		out = append(out, replacing{from: d.From, table: rowDecision, key: h.words(d.Subject, d.Point, d.Environment)})
	}
	for _, r := range p.registers {
		h.begin(rowRegister)
		out = append(out, replacing{from: r.From, table: rowRegister, key: h.words(r.Kind, r.ID)})
	}
	if b := p.bill; b != nil {
		h.begin(rowBill)
		out = append(out, replacing{from: b.From, table: rowBill, key: h.words(string(b.About))})
	}
	if p.run != nil {
		out = append(out, replacing{from: p.run.From, table: rowRunning, run: p.run})
	}
	return out
}

// rowSums is the difference between computed and stored rows, in runs of verifyChunk
// entries of one epoch.
type rowSums struct {
	seeds  [2]maphash.Seed
	epochs []store.Head
	first  []int // of each epoch, its first run
	sums   []rowSum
	open   map[rowSum]int64 // position of the row that stands, by key
	runs   *runs
}

func newRowSums(epochs []store.Head) *rowSums {
	s := &rowSums{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, epochs: epochs, open: map[rowSum]int64{}, runs: newRuns()}
	runs := 0
	for _, h := range epochs {
		s.first = append(s.first, runs)
		runs += int((h.Size + verifyChunk - 1) / verifyChunk)
	}
	s.sums = make([]rowSum, runs)
	return s
}

func (s *rowSums) hasher() rowHasher { return rowHasher{seeds: s.seeds} }

// at gives the sum that a position belongs to, nil for a position without an entry.
func (s *rowSums) at(seq int64) *rowSum {
	for i, h := range s.epochs {
		if seq >= h.Base && seq < h.Base+h.Size {
			return &s.sums[s.first[i]+int((seq-h.Base)/verifyChunk)]
		}
	}
	return nil
}

// replace follows which row ends where. Rows come in the order of the log.
func (s *rowSums) replace(rows []replacing) {
	h := s.hasher()
	for _, r := range rows {
		if r.run != nil {
			s.run(&h, *r.run)
			continue
		}
		s.at(r.from).add(h.end(r.table, r.from, store.Open))
		if before, ok := s.open[r.key]; ok {
			sum := s.at(before)
			sum.sub(h.end(r.table, before, store.Open))
			sum.add(h.end(r.table, before, r.from))
		}
		s.open[r.key] = r.from
	}
}

// run follows what runs.
func (s *rowSums) run(h *rowHasher, r store.Run) {
	ended, began := s.runs.change(r)
	if ended != nil {
		sum := s.at(ended.From)
		sum.sub(h.end(rowRunning, ended.From, store.Open))
		sum.add(h.end(rowRunning, ended.From, ended.To))
	}
	if began != nil {
		sum := s.at(began.From)
		sum.add(h.running(*began))
		sum.add(h.end(rowRunning, began.From, store.Open))
	}
}

// projections compares the index tables with what the bodies gave.
func (x *verification) projections(ctx context.Context) error {
	return x.own.store.View(ctx, func(v *store.View) error {
		now, _, err := v.Head(ctx)
		if err != nil {
			return err
		}
		x.later = now.Base + now.Size
		if err := x.strays(ctx, v); err != nil {
			return err
		}
		list, err := x.newBills(ctx, v)
		if err != nil {
			return err
		}
		if err := v.EachProjection(ctx, x.stored(list)); err != nil {
			return err
		}
		if err := x.bitmaps(ctx, v, list); err != nil {
			return err
		}
		for i, e := range x.epochs {
			for n := int64(0); n*verifyChunk < e.Size; n++ {
				if x.rows.sums[x.rows.first[i]+int(n)] != (rowSum{}) {
					if err := x.compareRows(ctx, v, list, e.Base+n*verifyChunk, e.Base+min((n+1)*verifyChunk, e.Size)); err != nil {
						return err
					}
				}
			}
		}
		return nil
	})
}

// stored takes the rows of the tables off the sums.
func (x *verification) stored(list *bills) store.Projections {
	h := x.rows.hasher()
	take := func(seq int64, table string, sums ...rowSum) error {
		sum := x.rows.at(seq)
		switch _, gone := slices.BinarySearch(x.skip, seq); {
		case sum == nil && seq >= x.end && seq < x.later: // came meanwhile
			return nil
		case sum == nil:
			x.problem(seq, remedyTamper, "the index table %s has a row for entry %d, which is no entry", table, seq)
		case !gone:
			for _, s := range sums {
				sum.sub(s)
			}
		case len(sums) > 1: // where a row ends is known from what came later
			sum.sub(sums[1])
		}
		x.report.Rows++
		return nil
	}
	return store.Projections{
		Subject: func(r store.Subject) error { return take(r.From, "subject", h.subject(r)) },
		Decision: func(r store.Decision) error {
			return take(r.From, "decision", h.decision(r), h.end(rowDecision, r.From, x.endOf(r.To)))
		},
		Register: func(r store.Register) error {
			return take(r.From, "register", h.register(r), h.end(rowRegister, r.From, x.endOf(r.To)))
		},
		Foreign: func(r store.ForeignBundle) error {
			return take(r.From, "foreign_bundle", h.foreign(r.From, r.To, r.Size))
		},
		Use: func(r store.BlobUse) error { return take(r.From, "blob_use", h.use(r)) },
		Running: func(r store.Running) error {
			row := h.running(r) // of one whose body is gone, it was taken from here whole
			row.add(h.end(rowRunning, r.From, x.endOf(r.To)))
			return take(r.From, "running", rowSum{}, row)
		},
		Bill: func(r store.Bill) error {
			sum, end := list.take(r), h.end(rowBill, r.From, x.endOf(r.To))
			if x.unlisted[r.From] {
				return take(r.From, "bill", end)
			}
			return take(r.From, "bill", sum, end)
		},
	}
}

// endOf is where a row ends as far as the entries say that are verified. An end that lies
// ahead of the log is nobody's: the row would be gone once the log gets there.
func (x *verification) endOf(to int64) int64 {
	if to >= x.end && to < x.later {
		return store.Open
	}
	return to
}

// strays looks for entries at positions that no epoch has.
func (x *verification) strays(ctx context.Context, v *store.View) error {
	from := int64(-store.Open)
	for i := 0; i <= len(x.epochs); i++ {
		to := int64(store.Open)
		next := x.later
		if i < len(x.epochs) {
			to, next = x.epochs[i].Base, x.epochs[i].Base+x.epochs[i].Size
		} else {
			from = max(from, x.later)
		}
		found := int64(0)
		err := v.EachIndex(ctx, from, to, func(seq int64) error {
			if found++; found <= maxProblems {
				x.problem(seq, remedyTamper, "entry %d stands in the database at a position that the log does not have", seq)
			}
			return nil
		})
		if err != nil {
			return err
		}
		from = next
	}
	return nil
}

// compareRows finds the rows of a run that differ: it computes them once more and holds
// them against the tables one by one.
func (x *verification) compareRows(ctx context.Context, v *store.View, list *bills, from, to int64) error {
	h := x.rows.hasher()
	rows := map[int64]*rowSum{}
	at := func(seq int64) *rowSum {
		if rows[seq] == nil {
			rows[seq] = &rowSum{}
		}
		return rows[seq]
	}
	var others []store.Entry // bills that others state
	err := v.EachBody(ctx, from, to, func(r store.Entry) error {
		if p := x.again(ctx, r); p != nil {
			h.projection(at(r.Seq), p)
			if p.foreign != nil && r.Bills == 1 {
				others = append(others, r)
			}
		}
		return ctx.Err()
	})
	if err != nil {
		return err
	}
	for _, r := range others {
		if b := x.foreignBillOf(ctx, v, r); b != nil && !x.unlisted[r.Seq] {
			at(r.Seq).add(h.whole(b))
		}
	}
	var ends []replaced
	skip := func(seq int64) bool { _, gone := slices.BinarySearch(x.skip, seq); return gone }
	for seq, r := range x.rows.runs.rows {
		if seq >= from && seq < to && !skip(seq) {
			at(seq).add(h.running(*r))
		}
	}
	take := func(seq int64, s rowSum) error {
		if !skip(seq) {
			at(seq).sub(s)
		}
		return nil
	}
	err = v.EachProjectionBetween(ctx, from, to, store.Projections{
		Subject: func(r store.Subject) error { return take(r.From, h.subject(r)) },
		Decision: func(r store.Decision) error {
			ends = append(ends, replaced{"decision", r.From, r.To, func() (int64, bool, error) { return v.NextDecision(ctx, r) }})
			return take(r.From, h.decision(r))
		},
		Register: func(r store.Register) error {
			ends = append(ends, replaced{"register", r.From, r.To, func() (int64, bool, error) { return v.NextRegister(ctx, r) }})
			return take(r.From, h.register(r))
		},
		Foreign: func(r store.ForeignBundle) error { return take(r.From, h.foreign(r.From, r.To, r.Size)) },
		Use:     func(r store.BlobUse) error { return take(r.From, h.use(r)) },
		Running: func(r store.Running) error {
			if want := x.rows.runs.rows[r.From]; want != nil {
				ends = append(ends, replaced{"running", r.From, x.endOf(r.To), func() (int64, bool, error) { return want.To, true, nil }})
			}
			return take(r.From, h.running(r))
		},
		Bill: func(r store.Bill) error {
			ends = append(ends, replaced{"bill", r.From, r.To, func() (int64, bool, error) { return v.NextBill(ctx, r) }})
			if x.unlisted[r.From] {
				return nil
			}
			return take(r.From, list.sum(r))
		},
	})
	if err != nil {
		return err
	}
	named := false
	for seq, s := range rows {
		if *s != (rowSum{}) {
			named = true
			x.problem(seq, remedyTamper, "the index rows of entry %d are not what its body gives: one was changed, added or removed", seq)
		}
	}
	return x.compareEnds(ends, from, to, named)
}

// replaced is a row of the index, and a way to find the one that ends it.
type replaced struct {
	table    string
	from, to int64
	next     func() (int64, bool, error)
}

func (x *verification) compareEnds(ends []replaced, from, to int64, named bool) error {
	slices.SortFunc(ends, func(a, b replaced) int { return cmp.Compare(a.from, b.from) })
	for _, r := range ends {
		next, found, err := r.next()
		if err != nil {
			return err
		}
		if !found {
			next = store.Open
		}
		if next != r.to {
			named = true
			x.problem(r.from, remedyTamper, "the %s row of entry %d does not end where the next one begins", r.table, r.from)
		}
	}
	if !named {
		x.problem(from, remedyTamper, "%s", fmt.Sprintf("the index rows of the entries %d to %d are not what their bodies give", from, to-1))
	}
	return nil
}

// again computes the rows of an entry, nil where its body does not give any: that was
// said when the body was read.
func (x *verification) again(ctx context.Context, r store.Entry) *projection {
	payload, err := x.own.payload(ctx, r)
	if err != nil {
		return nil
	}
	b, err := bundleOf(payload, r)
	if err != nil {
		return nil
	}
	s, err := b.Statement()
	if err != nil {
		return nil
	}
	p, err := projectStatement(s, b, r.Signer)
	if err != nil {
		return nil
	}
	if p.foreign == nil && !x.unlisted[r.Seq] {
		c, _ := s.Context()
		p.bill = x.own.listBill(ctx, s, false, r.Producer, c)
	}
	p.at(r.Seq, r.At)
	p.asKnown(r)
	return p
}
