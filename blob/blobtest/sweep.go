package blobtest

import (
	"context"
	"errors"
	"testing"
	"time"

	"verdict"
	"verdict/blob"
)

func deleteSpares(t *testing.T, b *bench) {
	d := b.put(t, "used")
	before := b.now()
	b.pass(time.Hour)
	b.put(t, "used")
	if gone, err := b.s.Delete(t.Context(), d, before.Add(time.Minute)); gone || err != nil {
		t.Errorf("Delete of a blob put since: %v, %v", gone, err)
	}
	b.pass(time.Hour)
	if gone, err := b.s.Delete(t.Context(), d, b.now()); !gone || err != nil {
		t.Errorf("Delete of an unused blob: %v, %v", gone, err)
	}
	if _, err := b.s.Get(t.Context(), d); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("Get after Delete: %v", err)
	}
}

// sweeper refers to whatever is in the set.
func (b *bench) sweeper(used map[verdict.Digest]bool) *blob.Sweeper {
	return &blob.Sweeper{
		Store: b.s, Marks: NewMemory(nil, 0), Now: b.now,
		Referenced: func(_ context.Context, ds []verdict.Digest) ([]verdict.Digest, error) {
			var out []verdict.Digest
			for _, d := range ds {
				if used[d] {
					out = append(out, d)
				}
			}
			return out, nil
		},
	}
}

// sweep runs one and compares what it says it did with what it tells of each blob.
func sweep(t *testing.T, s *blob.Sweeper, want blob.SweepResult) {
	t.Helper()
	var marked, removed, freed int64
	s.Tell = func(i blob.Info, gone bool) {
		if gone {
			removed++
			freed += i.Size
		} else {
			marked++
		}
	}
	got, err := s.Sweep(t.Context())
	if got.Due.IsZero() == (want.Marked+want.Waiting > 0) {
		t.Errorf("Sweep: due %v, of %+v", got.Due, got)
	}
	if want.Due.IsZero() {
		got.Due = want.Due
	}
	if err != nil || got != want || marked != want.Marked || removed != want.Deleted || freed != want.Freed {
		t.Errorf("Sweep: %+v, %v, want %+v; told of %d marked, %d removed", got, err, want, marked, removed)
	}
}

func sweepPhases(t *testing.T, b *bench) {
	used, waste := b.put(t, "used"), b.put(t, "waste")
	s := b.sweeper(map[verdict.Digest]bool{used: true})
	b.pass(time.Minute)
	due := b.now().Add(blob.DefaultWait)
	sweep(t, s, blob.SweepResult{Seen: 2, Marked: 1, Due: due})
	b.pass(23 * time.Hour)
	sweep(t, s, blob.SweepResult{Seen: 2, Waiting: 1, Due: due})
	b.pass(2 * time.Hour)
	sweep(t, s, blob.SweepResult{Seen: 2, Deleted: 1, Freed: 5})
	sweep(t, s, blob.SweepResult{Seen: 1})
	if _, err := b.s.Get(t.Context(), used); err != nil {
		t.Errorf("what was referred to is lost: %v", err)
	}
	if _, err := b.s.Get(t.Context(), waste); !errors.Is(err, blob.ErrNotFound) {
		t.Errorf("what nothing refers to is still there: %v", err)
	}
}

func sweepKeepsReferred(t *testing.T, b *bench) {
	d := b.put(t, "late")
	used := map[verdict.Digest]bool{}
	s := b.sweeper(used)
	b.pass(time.Minute)
	sweep(t, s, blob.SweepResult{Seen: 1, Marked: 1})
	b.pass(25 * time.Hour)
	used[d] = true
	sweep(t, s, blob.SweepResult{Seen: 1, Kept: 1})
	used[d] = false
	sweep(t, s, blob.SweepResult{Seen: 1, Marked: 1}) // the wait starts anew
	if _, err := b.s.Get(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func sweepKeepsPut(t *testing.T, b *bench) {
	d := b.put(t, "again")
	s := b.sweeper(nil)
	b.pass(time.Minute)
	sweep(t, s, blob.SweepResult{Seen: 1, Marked: 1})
	b.pass(25 * time.Hour)
	b.put(t, "again") // its row is not committed yet
	sweep(t, s, blob.SweepResult{Seen: 1, Kept: 1})
	if _, err := b.s.Get(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func sweepCannotAsk(t *testing.T, b *bench) {
	d := b.put(t, "waste")
	s := b.sweeper(nil)
	b.pass(time.Minute)
	sweep(t, s, blob.SweepResult{Seen: 1, Marked: 1})
	b.pass(25 * time.Hour)
	down := errors.New("database is down")
	s.Referenced = func(context.Context, []verdict.Digest) ([]verdict.Digest, error) { return nil, down }
	if _, err := s.Sweep(t.Context()); !errors.Is(err, down) {
		t.Errorf("Sweep: %v", err)
	}
	if _, err := b.s.Get(t.Context(), d); err != nil {
		t.Error(err)
	}
}

func putDuringSweep(t *testing.T, b *bench) {
	d := b.put(t, "raced")
	s := b.sweeper(nil)
	b.pass(time.Minute)
	sweep(t, s, blob.SweepResult{Seen: 1, Marked: 1})
	b.pass(25 * time.Hour)
	s.Referenced = func(context.Context, []verdict.Digest) ([]verdict.Digest, error) {
		b.put(t, "raced") // after the list was read, before the delete
		return nil, nil
	}
	sweep(t, s, blob.SweepResult{Seen: 1, Kept: 1})
	if _, err := b.s.Get(t.Context(), d); err != nil {
		t.Error(err)
	}
}
