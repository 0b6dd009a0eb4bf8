package ledger

import (
	"context"
	"fmt"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/evidence"
)

// maxTogether is how many statements AppendAll writes in one transaction at most.
const maxTogether = 256

// Append records a statement that an enrolled key signed. When it returns without error,
// the entry is durable and under a checkpoint that the anchor holds. A statement that
// was recorded before, by its evidence.Statement.Identity, gives the entry of then.
//
// When ctx ends before the answer, the statement may still be recorded: append it again
// to know.
func (l *Ledger) Append(ctx context.Context, b *evidence.Bundle) (Entry, error) {
	e, err := l.AppendAll(ctx, []*evidence.Bundle{b})
	if err != nil {
		return Entry{}, err
	}
	return e[0], nil
}

// AppendAll records statements in their order and gives their entries. Up to 256 are
// recorded together or not at all; with more, an error may leave the first hundreds
// recorded.
func (l *Ledger) AppendAll(ctx context.Context, bundles []*evidence.Bundle) ([]Entry, error) {
	out := make([]Entry, 0, len(bundles))
	for len(bundles) > 0 {
		n := min(len(bundles), maxTogether)
		items := make([]*prepared, n)
		if n == 1 {
			var err error
			if items[0], err = l.prepare(ctx, bundles[0]); err != nil {
				return nil, err
			}
		} else if err := l.prepareAll(ctx, bundles[:n], items); err != nil {
			return nil, err
		}
		entries, err := l.enqueue(ctx, &request{items: items})
		if err != nil {
			return nil, err
		}
		out = append(out, entries...)
		bundles = bundles[n:]
	}
	return out, nil
}

func (l *Ledger) prepareAll(ctx context.Context, bundles []*evidence.Bundle, into []*prepared) error {
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(8)
	for i, b := range bundles {
		g.Go(func() (err error) {
			if into[i], err = l.prepare(ctx, b); err != nil {
				err = fmt.Errorf("statement %d of %d: %w", i+1, len(bundles), err)
			}
			return err
		})
	}
	return g.Wait()
}

// request is what one caller wants to have written together.
type request struct {
	items   []*prepared
	receipt bool          // wants a receipt over all entries before it
	done    chan struct{} // closed when the fields below are set
	places  []int64       // position of each item
	fresh   []bool        // the item was recorded now, and not before
	err     error
}

// answer gives the entries of a request that was written.
func (l *Ledger) answer(ctx context.Context, r *request) ([]Entry, error) {
	if r.err != nil {
		return nil, r.err
	}
	out := make([]Entry, len(r.places))
	for i, seq := range r.places {
		var err error
		if r.fresh[i] {
			out[i], err = entryOf(r.items[i].entry)
		} else {
			out[i], err = l.Entry(ctx, seq)
		}
		if err != nil {
			return nil, err
		}
	}
	return out, nil
}

var errClosed = &verdict.Error{
	Code: verdict.CodeUnavailable, What: "the ledger is closed, because the process is stopping", Remedy: "try again when it runs: what was acknowledged is recorded",
}

// enqueue hands a request to the appender and waits for its answer.
func (l *Ledger) enqueue(ctx context.Context, r *request) ([]Entry, error) {
	if l.refusal != nil {
		return nil, l.refusal
	}
	r.done = make(chan struct{})
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errClosed
	}
	l.queue = append(l.queue, r)
	l.mu.Unlock()
	l.poke()
	select {
	case <-r.done:
		return l.answer(ctx, r)
	case <-ctx.Done():
		return nil, &verdict.Error{
			Code: verdict.CodeInterrupted, What: "the statement was handed to the ledger, and nobody waited for the answer",
			Remedy: "run the command again: a statement that was recorded is found and not recorded twice", Err: ctx.Err(),
		}
	}
}
