package server

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/store"
	"verdict/store/sqlite"
)

// crew are replicas that share one table of work, and a clock that the test moves.
type crew struct {
	now  atomic.Int64 // microseconds
	told bytes.Buffer
	of   []*Chores
}

func newCrew(t *testing.T, n int) *crew {
	t.Helper()
	x := &crew{}
	x.now.Store(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixMicro())
	path := filepath.Join(t.TempDir(), "a.db")
	for i := range n {
		e, err := sqlite.Open(t.Context(), path, sqlite.Options{})
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.New(t.Context(), e)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		x.of = append(x.of, &Chores{
			Store: s, Now: func() time.Time { return time.UnixMicro(x.now.Load()) }, Logger: slog.New(slog.NewTextHandler(&x.told, nil)), Owner: string(rune('a' + i)),
		})
	}
	return x
}

func (x *crew) pass(d time.Duration) { x.now.Add(d.Microseconds()) }

func (x *crew) begin(t *testing.T, c Chore) {
	t.Helper()
	err := x.of[0].Store.AddJob(t.Context(), store.Job{ID: c.kind(), Kind: c.kind(), Doc: "{}", Due: x.now.Load()})
	if err != nil {
		t.Fatal(err)
	}
}

func takeTurn(t *testing.T, ctx context.Context, c *Chores, x Chore, want bool) {
	t.Helper()
	if worked, err := c.Turn(ctx, x); worked != want || err != nil {
		t.Errorf("worked: %v, %v", worked, err)
	}
}

func TestRecurringWorkIsDoneOnceByAllReplicas(t *testing.T) {
	x := newCrew(t, 3)
	var done atomic.Int64
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error { done.Add(1); return nil }}
	x.begin(t, c)
	for hour := range int64(4) {
		var wait sync.WaitGroup
		for _, r := range x.of {
			for range 4 {
				wait.Go(func() {
					if _, err := r.Turn(t.Context(), c); err != nil {
						t.Error(err)
					}
				})
			}
		}
		wait.Wait()
		if done.Load() != hour+1 {
			t.Fatalf("done %d times after %d hours", done.Load(), hour)
		}
		x.pass(time.Hour)
	}
}

// Nobody begins recurring work again that was given up, so it never is; and nobody looks
// for what no one told him.
func TestWorkThatFailsIsTriedLessOftenAndToldToOperators(t *testing.T) {
	x := newCrew(t, 1)
	fails := true
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error {
		if fails {
			panic("no blobs")
		}
		return nil
	}}
	x.begin(t, c)
	for n, after := range []time.Duration{10 * time.Second, 20 * time.Second, 40 * time.Second, 80 * time.Second, 160 * time.Second} {
		takeTurn(t, t.Context(), x.of[0], c, true)
		x.pass(after - time.Second)
		takeTurn(t, t.Context(), x.of[0], c, false)
		if tells := strings.Contains(x.told.String(), `level=ERROR msg="recurring work failed`); tells != (n+1 >= choreFailed) {
			t.Errorf("after %d failures it was told: %v\n%s", n+1, tells, x.told.String())
		}
		x.pass(time.Second)
	}
	fails = false
	takeTurn(t, t.Context(), x.of[0], c, true)
	takeTurn(t, t.Context(), x.of[0], c, false)
	fails = true
	x.pass(time.Hour)
	takeTurn(t, t.Context(), x.of[0], c, true) // counts from one again
	x.pass(10 * time.Second)
	takeTurn(t, t.Context(), x.of[0], c, true)
}

func TestAReplicaThatStopsGivesItsWorkBackAtOnce(t *testing.T) {
	x := newCrew(t, 2)
	ctx, stop := context.WithCancel(t.Context())
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(ctx context.Context) error { stop(); <-ctx.Done(); return ctx.Err() }}
	x.begin(t, c)
	takeTurn(t, ctx, x.of[0], c, true)
	c.Do = func(context.Context) error { return nil }
	takeTurn(t, t.Context(), x.of[1], c, true)
	if strings.Contains(x.told.String(), "failed") {
		t.Errorf("a stop is no failure: %s", x.told.String())
	}
}

func TestTheWorkOfAReplicaThatIsGoneIsTakenOver(t *testing.T) {
	x := newCrew(t, 2)
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error { return nil }}
	x.begin(t, c)
	now := x.now.Load()
	if _, found, err := x.of[0].Store.ClaimJob(t.Context(), c.kind(), "gone", now, now+choreLease.Microseconds()); !found || err != nil {
		t.Fatal(err)
	}
	x.pass(choreLease - time.Second)
	takeTurn(t, t.Context(), x.of[1], c, false)
	x.pass(time.Second)
	takeTurn(t, t.Context(), x.of[1], c, true)
}

// Work that goes on after another replica took it over would be done twice at once.
func TestWhoHasLostItsWorkStops(t *testing.T) {
	x := newCrew(t, 2)
	x.of[0].hold = time.Millisecond
	c := Chore{Name: "sweep", Every: time.Hour}
	c.Do = func(ctx context.Context) error {
		x.pass(choreLease + choreHold) // this replica was asleep
		now := x.now.Load()
		if _, found, err := x.of[1].Store.ClaimJob(ctx, c.kind(), "other", now, now+choreLease.Microseconds()); err != nil || !found {
			return nil // held in time: the next attempt is quicker
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(10 * time.Second):
			return errors.New("nobody stopped it")
		}
	}
	x.begin(t, c)
	for range 200 {
		takeTurn(t, t.Context(), x.of[0], c, true)
		if strings.Contains(x.told.String(), "longer than its lease") {
			return
		}
		x.pass(2 * time.Hour)
	}
	t.Errorf("it went on: %s", x.told.String())
}

// Who asks for work gets it now, once over all replicas, and is told how it ended; and the time at
// which it comes by itself is none that a failure moves.
func TestWorkThatSomebodyAsksForIsDoneNowAndOnce(t *testing.T) {
	x := newCrew(t, 2)
	var done atomic.Int64
	begun, end := make(chan struct{}), make(chan struct{})
	slow := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error { done.Add(1); close(begun); <-end; return nil }}
	ended := make(chan error)
	go func() { ended <- x.of[0].Begin(t.Context(), slow) }()
	<-begun
	var e *verdict.Error
	if err := x.of[1].Begin(t.Context(), slow); !errors.As(err, &e) || e.Code != verdict.CodeConflict {
		t.Errorf("a second one: %v", err)
	}
	close(end)
	if err := <-ended; err != nil || done.Load() != 1 {
		t.Errorf("%v, done %d times", err, done.Load())
	}
	broken := errors.New("no blobs")
	c := Chore{Name: "sweep", Every: time.Hour, Do: func(context.Context) error { return broken }}
	takeTurn(t, t.Context(), x.of[1], c, false) // it was done a moment ago
	x.pass(59 * time.Minute)
	if err := x.of[1].Begin(t.Context(), c); !errors.Is(err, broken) {
		t.Errorf("it ended with %v", err)
	}
	takeTurn(t, t.Context(), x.of[1], c, false)
	x.pass(time.Minute)
	takeTurn(t, t.Context(), x.of[1], c, true)

	once := Chore{Name: "update", Do: func(context.Context) error { return nil }} // comes only when asked for
	for range 2 {
		if err := x.of[0].Begin(t.Context(), once); err != nil {
			t.Error(err)
		}
		x.pass(1000 * time.Hour)
		takeTurn(t, t.Context(), x.of[1], once, false)
	}
}
