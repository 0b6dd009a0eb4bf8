package ledger

import (
	"context"
	"errors"
	"fmt"
	"time"

	"verdict"
	"verdict/store"
)

// The appender is one goroutine per process. It writes what queued while the previous
// commit ran as one transaction: no timer, so a lone caller never waits, and no leader,
// because under the store's write lock any process takes up the head that it finds.

const (
	maxBatch      = 512     // entries of one transaction; a request is never torn apart
	maxBatchBytes = 8 << 20 // bytes of bodies, after which no further request is taken
	attempts      = 4       // of one transaction whose fate is not known
)

// tail is where the appender stands: the right edge of the tree and what the last
// receipt left open. It belongs to the appender and changes only with a commit.
type tail struct {
	head    store.Head
	edge    *edge
	keys    *keyring
	receipt int64 // position of the last receipt, -1 if there is none
	oldest  int64 // recorded time of the oldest entry without receipt, 0 if there is none
}

// run is the appender. It ends when the ledger is closed and the queue is empty.
func (l *Ledger) run() {
	defer close(l.done)
	ctx := context.Background() // a caller who leaves does not take the others' commit with him
	var at *tail
	timer := time.NewTimer(receiptEvery)
	defer timer.Stop()
	for {
		batch, closed := l.take()
		if len(batch) == 0 {
			if closed {
				return
			}
			select {
			case <-l.wake:
				continue
			case <-timer.C:
				timer.Reset(receiptEvery)
				if at == nil || !l.receiptDue(at, micros(l.o.Now())) {
					continue
				}
			}
		}
		next, err := l.write(ctx, at, batch)
		if err != nil {
			at = nil // take up what the database says
			l.o.Logger.Warn("append failed", "error", err, "requests", len(batch))
		} else {
			at = next
			timer.Reset(l.untilReceipt(at))
		}
		for _, r := range batch {
			if r.err == nil {
				r.err = err
			}
			close(r.done)
		}
	}
}

// take empties the queue up to the limits of one batch.
func (l *Ledger) take() ([]*request, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	entries, bytes, n := 0, 0, 0
	for _, r := range l.queue {
		if n > 0 && (entries+len(r.items) > maxBatch || bytes > maxBatchBytes) {
			break
		}
		n++
		entries += len(r.items)
		for _, x := range r.items {
			bytes += len(x.entry.Payload)
		}
	}
	batch := l.queue[:n:n]
	if l.queue = l.queue[n:]; len(l.queue) == 0 {
		l.queue = nil
	}
	return batch, l.closed
}

// write commits a batch and makes it safe to acknowledge: checkpoint signed after the
// commit, anchor synced. Requests that cannot be recorded carry their own error.
func (l *Ledger) write(ctx context.Context, at *tail, batch []*request) (*tail, error) {
	var p *plan
	var err error
	for attempt := range attempts {
		if attempt > 0 {
			time.Sleep(time.Duration(attempt) * 200 * time.Millisecond)
		}
		err = l.store.Append(ctx, func(v *store.View) (*store.Batch, error) {
			var err error
			if p, err = l.plan(ctx, v, at, batch); err != nil {
				return nil, err
			}
			return p.rows(), nil
		})
		// Whether it was committed is settled by the next attempt: it takes up the head
		// that it finds, holds it against the anchor, and finds by their identity the
		// entries that were recorded after all.
		at = nil
		if !errors.Is(err, store.ErrAmbiguous) && !errors.Is(err, store.ErrFence) {
			break
		}
		l.o.Logger.Warn("commit unclear, looking again", "error", err, "attempt", attempt+1)
	}
	if errors.Is(err, store.ErrAmbiguous) || errors.Is(err, store.ErrFence) {
		remedy := "wait until it is up again and run the command again"
		var cause *verdict.Error
		if errors.As(err, &cause) { // what the engine saw says more than that it is away
			remedy = cause.Remedy
		}
		err = &verdict.Error{
			Code: verdict.CodeUnavailable, What: "the database broke off, and it cannot be told whether the statement was recorded",
			Remedy: remedy + ": a statement that was recorded is found and not recorded twice", Err: err,
		}
	}
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	l.keys = p.tail.keys
	l.grown(p.tail.head)
	l.mu.Unlock()
	c, err := l.sign(p.tail.head)
	if err == nil {
		err = l.anchor.save(c)
	}
	if len(p.batch.Bills) > 0 {
		l.fold()
	}
	return p.tail, err
}

// plan is one transaction in the making.
type plan struct {
	from  store.Head
	tail  *tail // after the commit
	old   *edge
	batch store.Batch
	at    int64 // recorded time of every entry of the batch
}

// plan takes up the head under the write lock and gives each new statement its place.
func (l *Ledger) plan(ctx context.Context, v *store.View, at *tail, batch []*request) (*plan, error) {
	var identities [][]byte
	for _, r := range batch {
		r.err = nil
		for _, x := range r.items {
			identities = append(identities, x.entry.Identity)
		}
	}
	head, known, err := v.Known(ctx, identities)
	if err != nil {
		return nil, err
	}
	// Under the write lock nobody else appends, so the anchor is never ahead of the head.
	if err := l.anchor.refresh(); err != nil {
		return nil, err
	}
	if err := l.trust(ctx, v, head, l.seen()); err != nil {
		return nil, err
	}
	if at == nil || !sameHead(at.head, head) {
		if at, err = l.takeUp(ctx, v, head); err != nil {
			return nil, err
		}
	}
	now := micros(l.o.Now())
	l.tellClock(time.Duration(head.Latest-now) * time.Microsecond)
	p := &plan{from: head, old: at.edge, at: max(now, head.Latest)}
	p.tail = &tail{head: head, edge: at.edge.clone(), keys: at.keys, receipt: at.receipt, oldest: at.oldest}
	if err := l.addReceipt(ctx, p, batch); err != nil {
		return nil, err
	}
	for _, r := range batch {
		if r.receipt {
			continue
		}
		if err := p.add(ctx, v, r, known); err != nil {
			return nil, err
		}
	}
	p.tail.head.Latest = p.at
	root, err := p.tail.edge.root()
	p.tail.head.Root = root[:]
	return p, err
}

// skew is by how much the clocks of those who append to one log may differ.
const skew = 5 * time.Minute

// tellClock says once that the clock of this process is behind the log, and once that it is
// not any more. What is recorded meanwhile has the time of the last entry before.
func (l *Ledger) tellClock(behind time.Duration) {
	if late := behind > skew; late != l.late {
		if l.late = late; late {
			l.o.Logger.Warn("the clock is behind the last entry of the log, which gives its time to the next ones: set the clock", "behind", behind)
		} else {
			l.o.Logger.Info("the clock is no longer behind the log")
		}
	}
}

// takeUp reads what appending after head needs.
func (l *Ledger) takeUp(ctx context.Context, v *store.View, head store.Head) (*tail, error) {
	e, err := loadEdge(ctx, v, head.Epoch, head.Size)
	if err != nil {
		return nil, err
	}
	root, err := e.root()
	if err != nil {
		return nil, err
	}
	if root != treeOf(head).Hash {
		return nil, continuesNot(head)
	}
	at := &tail{head: head, edge: e, receipt: -1}
	if at.keys, err = l.keysSince(ctx, v, l.keysNow()); err != nil {
		return nil, err
	}
	last, found, err := v.Register(ctx, string(verdict.KindReceipt), "", store.Open)
	if err != nil {
		return nil, err
	}
	if found {
		at.receipt = last.From
	}
	open, found, err := v.Entry(ctx, max(at.receipt+1, head.Base))
	if found {
		at.oldest = open.At
	}
	return at, err
}

func (l *Ledger) keysNow() *keyring { k, _ := l.keyring(); return k }

// add gives the statements of one request their places, all of them or none.
func (p *plan) add(ctx context.Context, v *store.View, r *request, known map[string]int64) error {
	places := make([]int64, len(r.items))
	keys, next := p.tail.keys, p.next()
	mine := map[string]int64{}
	for i, x := range r.items {
		id := string(x.entry.Identity)
		seq, ok := known[id]
		if !ok {
			seq, ok = mine[id]
		}
		if ok {
			places[i] = seq
			continue
		}
		var refused, err error
		if refused, err = taken(ctx, v, x); err != nil {
			return err
		}
		if refused == nil {
			keys, refused = admit(keys, x, next, p.at)
		}
		if refused != nil {
			r.err = refused
			return nil
		}
		places[i], mine[id] = next, next
		next++
	}
	p.tail.keys = keys
	r.places, r.fresh = places, make([]bool, len(places))
	for i, x := range r.items {
		id := string(x.entry.Identity)
		if seq, ok := mine[id]; ok {
			known[id] = seq
			delete(mine, id)
			r.fresh[i] = true
			p.put(x)
		}
	}
	return nil
}

// taken reports why the place in another log that a statement came from cannot be
// recorded: another statement holds it.
func taken(ctx context.Context, v *store.View, x *prepared) (refused, err error) {
	if x.entry.ForeignOrigin == "" {
		return nil, nil
	}
	seq, found, err := v.Travelled(ctx, x.entry.ForeignOrigin, x.entry.ForeignSeq)
	if err != nil || !found {
		return nil, err
	}
	return &verdict.Error{
		Code:   verdict.CodeConflict,
		What:   fmt.Sprintf("entry %d of the log %s was recorded here before as entry %d, and is another one now", x.entry.ForeignSeq, x.entry.ForeignOrigin, seq),
		Remedy: "the other log shows two histories: check it with verdict log verify before you take anything from it",
	}, nil
}

// admit checks the key at the position that the entry will have.
func admit(keys *keyring, x *prepared, position, at int64) (*keyring, error) {
	if !keys.begins(x.event, x.entry.Signer) {
		if _, err := keys.valid(x.entry.Signer, position); err != nil {
			return keys, err
		}
	}
	if x.event == nil {
		return keys, nil
	}
	next, err := keys.with(keyStep{position, fromMicros(at), x.entry.Signer, *x.event})
	if err != nil {
		return keys, invalidStatement(verdict.KindKey, err)
	}
	return next, nil
}

func (p *plan) next() int64 { return p.tail.head.Base + p.tail.head.Size }

// put appends one statement.
func (p *plan) put(x *prepared) {
	x.at(p.next(), p.at)
	b := &p.batch
	b.Entries = append(b.Entries, x.entry)
	if x.bundle != nil {
		x.bundle.From = x.entry.Seq
		b.Foreign = append(b.Foreign, *x.bundle)
	}
	b.Subjects = append(b.Subjects, x.subjects...)
	if x.decision != nil {
		b.Decisions = append(b.Decisions, *x.decision)
	}
	b.Registers = append(b.Registers, x.registers...)
	if x.run != nil {
		b.Runs = append(b.Runs, *x.run)
	}
	b.Uses = append(b.Uses, x.uses...)
	if x.bill != nil {
		b.Bills = append(b.Bills, *x.bill)
	}
	p.tail.edge.add(x.leaf, func(t store.Tile) { b.Tiles = append(b.Tiles, t) })
	p.tail.head.Size++
	if p.tail.oldest == 0 {
		p.tail.oldest = p.at
	}
}

// rows is what is to be written, nil when every statement was known.
func (p *plan) rows() *store.Batch {
	if len(p.batch.Entries) == 0 {
		p.tail.head = p.from
		return nil
	}
	p.batch.From, p.batch.To = p.from, p.tail.head
	p.batch.Tiles = append(p.batch.Tiles, p.tail.edge.partial(p.old)...)
	return &p.batch
}
