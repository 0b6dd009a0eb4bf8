package storetest

import (
	"context"
	"testing"
	"time"

	"verdict/store"
)

// announced: an engine that says that it tells of appends of other processes does.
func announced(t *testing.T, a, b *store.Store) {
	begun(t, a)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	told := make(chan struct{}, 16)
	ended := make(chan bool, 1)
	go func() {
		able, _ := b.Watch(ctx, func() { told <- struct{}{} })
		ended <- able
	}()
	if b.Engine() == "sqlite" {
		if <-ended {
			t.Error("SQLite cannot tell of appends, and says that it does")
		}
		return
	}
	wait := func(what string) {
		select {
		case <-told:
		case <-time.After(10 * time.Second):
			t.Errorf("not told of %s", what)
		}
	}
	wait("what was there before")
	write(t, a, 0, store.Batch{Entries: []store.Entry{entry(0, nil)}})
	wait("an append")
	must(t, a.AddJob(ctx, store.Job{ID: "j", Kind: "k", Doc: "{}"}))
	select {
	case <-told:
		t.Error("told of an append that is none")
	case <-time.After(100 * time.Millisecond):
	}
	stop()
	if able := <-ended; !able {
		t.Error("it told of an append, and says that it does not")
	}
}

// clocks: a machine whose clock is ahead is told the time of a database that it shares; one
// machine alone has its own.
func clocks(t *testing.T, s *store.Store) {
	ahead := time.Now().Add(24 * time.Hour)
	for range 2 {
		at, err := s.Time(t.Context(), ahead)
		must(t, err)
		if off := time.Since(at).Abs(); s.Engine() == "postgres" && off > time.Minute {
			t.Errorf("the database says that it is %s, which is off by %s", at, off)
		}
		if s.Engine() == "sqlite" && !at.Equal(ahead) {
			t.Errorf("there is a clock besides that of the machine: %s", at)
		}
	}
}
