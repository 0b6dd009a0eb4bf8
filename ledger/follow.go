package ledger

import (
	"context"
	"fmt"
	"time"

	"verdict"
	"verdict/store"
)

// Whoever keeps something that follows from the log follows it: caches, admission, live
// events. One goroutine looks at the database for all of them, from the first call of
// Wait on. An append of this process wakes them at once; one of another process when the
// engine tells of it, else at the next look.

const (
	lookEvery    = 250 * time.Millisecond
	lookPatience = 2 * time.Second // for one look, so that a silent database is a fault too
	watchAgain   = 2 * time.Second // between two tries to be told by the engine
)

// following is what followers are told. Ledger.mu guards it.
type following struct {
	stop   context.CancelFunc // of the goroutine that looks, nil while there is none
	news   chan struct{}      // closed, and replaced, when there is something to tell
	fault  error              // why the last look failed, nil when it did not
	looked time.Time          // when the last one that succeeded began
}

// tell wakes all followers. The caller holds l.mu.
func (l *Ledger) tell() {
	close(l.follow.news)
	l.follow.news = make(chan struct{})
}

// grown takes up a log that is longer than the one that was known: of two that grew it at
// once, the later may be the first to say so. The caller holds l.mu.
func (l *Ledger) grown(head store.Head) {
	if l.trusted.Epoch == head.Epoch && l.trusted.Size >= head.Size {
		return
	}
	l.trusted = head
	l.follow.fault = nil
	l.tell()
}

// Wait returns as soon as the log holds more entries than after, with how many there are.
// It gives an error as soon as a look at the database fails: the caller may be behind
// then, and calls again to know when he is not. When ctx ends, its error comes with the
// position that was seen last.
func (l *Ledger) Wait(ctx context.Context, after Position) (Position, error) {
	for asked := false; ; asked = true {
		l.mu.Lock()
		if l.follow.stop == nil && !l.closed {
			l.startFollowing()
		}
		p, news, fault, closed := Position(l.trusted.Base+l.trusted.Size), l.follow.news, l.follow.fault, l.closed
		l.mu.Unlock()
		switch {
		case closed:
			return p, errClosed
		case p > after:
			return p, nil
		case asked && fault != nil: // a fault from before the question may be over
			return p, fault
		}
		select {
		case <-news:
		case <-ctx.Done():
			return p, ctx.Err()
		}
	}
}

// Looked is when the database was last seen to hold what Wait says: zero before the first
// call of Wait. What follows the log is behind by the time since then at most.
func (l *Ledger) Looked() time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.follow.looked
}

// startFollowing begins to look. The caller holds l.mu.
func (l *Ledger) startFollowing() {
	ctx, stop := context.WithCancel(context.Background())
	l.follow.stop = stop
	told := make(chan struct{}, 1)
	l.background.Go(func() { l.watch(ctx, told) })
	l.background.Go(func() {
		timer := time.NewTimer(0)
		defer timer.Stop()
		for {
			select {
			case <-timer.C:
			case <-told:
			case <-ctx.Done():
				return
			}
			l.lookAgain(ctx)
			timer.Reset(lookEvery)
		}
	})
}

// lookAgain looks whether the log grew. A longer one is taken up where it is held against
// the anchor.
func (l *Ledger) lookAgain(ctx context.Context) {
	began := l.o.Now()
	looking, cancel := context.WithTimeout(ctx, lookPatience)
	defer cancel()
	_, err := l.Position(looking)
	if err != nil && looking.Err() != nil && ctx.Err() == nil {
		// Not the error of a context: a follower would take it for the end of his own.
		err = &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the database did not answer for %s, so it is not known what is new in the log: %v", lookPatience, err),
			Remedy: "check that the database runs and that the network to it is open",
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.follow.fault = err
	if err != nil {
		l.tell()
		return
	}
	l.follow.looked = began
}

// watch lets the engine tell of appends of other processes, if it can. Without it they
// are seen at the next look, so what goes wrong here is no fault.
func (l *Ledger) watch(ctx context.Context, told chan<- struct{}) {
	for ctx.Err() == nil {
		able, err := l.store.Watch(ctx, func() {
			select {
			case told <- struct{}{}:
			default: // it will look anyway
			}
		})
		if !able {
			return
		}
		l.o.Logger.Debug("not told of appends", "error", err)
		select {
		case <-time.After(watchAgain):
		case <-ctx.Done():
		}
	}
}
