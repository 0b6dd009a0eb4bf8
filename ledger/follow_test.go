package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/store"
)

// waited is what one call of Wait gave.
type waited struct {
	at   ledger.Position
	err  error
	took time.Duration
}

// wait follows a ledger from a position on, in the background.
func wait(ctx context.Context, l *ledger.Ledger, after ledger.Position) <-chan waited {
	out := make(chan waited, 1)
	go func() {
		began := time.Now()
		at, err := l.Wait(ctx, after)
		out <- waited{at, err, time.Since(began)}
	}()
	return out
}

// heardOf is what a follower hears, for which he may wait on a busy machine.
func heardOf(t *testing.T, c <-chan waited) waited {
	t.Helper()
	select {
	case w := <-c:
		return w
	case <-time.After(time.Minute):
		t.Fatal("nothing was told")
		panic("unreachable")
	}
}

// Admission answers from what it followed: who is not told of an entry denies what was
// promoted, or admits what was taken back.
func TestWhoFollowsTheLogIsToldOfEveryAppend(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		one := b.begun()
		two := b.open()
		defer two.Close()
		if p, err := one.Wait(t.Context(), 0); err != nil || p != 1 {
			t.Fatalf("behind the log: %d, %v", p, err)
		}
		own, others := wait(t.Context(), one, 1), wait(t.Context(), two, 1)
		time.Sleep(100 * time.Millisecond)
		b.append(one, b.other(10))
		if w := heardOf(t, own); w.err != nil || w.at != 2 {
			t.Errorf("in the process that appended: %+v", w)
		}
		if w := heardOf(t, others); w.err != nil || w.at != 2 {
			t.Errorf("in another process: %+v", w)
		}
		if two.Looked().IsZero() {
			t.Error("it was told, and nobody looked")
		}
		ctx, cancel := context.WithTimeout(t.Context(), 600*time.Millisecond)
		defer cancel()
		if p, err := two.Wait(ctx, 2); !errors.Is(err, context.DeadlineExceeded) || p != 2 {
			t.Errorf("without an append: %d, %v", p, err)
		}
		last := wait(t.Context(), two, 2)
		time.Sleep(20 * time.Millisecond)
		if err := two.Close(); err != nil {
			t.Fatal(err)
		}
		if w := heardOf(t, last); w.err == nil {
			t.Errorf("the ledger was closed, and a follower was told %+v", w)
		}
	})
}

// failing is an engine that cannot be read, or that does not answer, for a while.
type failing struct {
	store.Engine
	refuse, hang atomic.Bool
}

var errDown = errors.New("no route to the database")

func (e *failing) Read(ctx context.Context, read func(store.Reader) error) error {
	switch {
	case e.refuse.Load():
		return errDown
	case e.hang.Load():
		<-ctx.Done()
		return ctx.Err()
	}
	return e.Engine.Read(ctx, read)
}

// Not to know whether the log grew is a state of its own: a follower that is told nothing
// takes what he has for the truth.
func TestWhoFollowsTheLogIsToldThatHeMayBeBehind(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		real, err := b.engine()
		if err != nil {
			t.Fatal(err)
		}
		broken := &failing{Engine: real}
		b.engine = func() (store.Engine, error) { return broken, nil }
		l := b.begun()
		quiet := wait(t.Context(), l, 1)
		time.Sleep(300 * time.Millisecond)
		broken.refuse.Store(true)
		if w := heardOf(t, quiet); !errors.Is(w.err, errDown) || w.at != 1 {
			t.Errorf("the database is gone, and the follower was told %+v", w)
		}
		looked := l.Looked()
		if w := heardOf(t, wait(t.Context(), l, 1)); !errors.Is(w.err, errDown) {
			t.Errorf("it is still gone, and the follower was told %+v", w)
		}
		if l.Looked() != looked {
			t.Error("a look that failed counts as one")
		}
		broken.refuse.Store(false)
		again := wait(t.Context(), l, 1)
		b.append(l, b.other(10))
		if w := heardOf(t, again); w.err != nil || w.at != 2 {
			t.Errorf("it is back, and the follower was told %+v", w)
		}
		broken.hang.Store(true)
		if w := heardOf(t, wait(t.Context(), l, 2)); w.err == nil || errors.Is(w.err, context.DeadlineExceeded) || verdict.AsError(w.err).Code != verdict.CodeUnavailable {
			t.Errorf("the database is silent, and the follower was told %+v", w)
		}
		broken.hang.Store(false)
	})
}
