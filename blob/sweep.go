package blob

import (
	"context"
	"fmt"
	"time"

	"verdict"
)

// DefaultWait is how long a blob stays marked before it is removed: longer than any
// transaction that put it and has not yet committed the row that names it.
const DefaultWait = 24 * time.Hour

// sweepBatch is how many digests are asked about at once.
const sweepBatch = 500

// Sweeper removes blobs that no row names, in two phases. A sweep marks what nothing
// refers to; a later sweep, at least Wait after the mark, asks again and removes what
// still nothing refers to and nobody put since. A reference that comes back in between
// clears the mark. One sweep may run at a time.
type Sweeper struct {
	Store Store
	Marks Marks
	// Referenced gives those of the digests that some row names. When it fails, the
	// sweep ends and removes nothing further: not to know is no permission.
	Referenced func(ctx context.Context, ds []verdict.Digest) ([]verdict.Digest, error)
	Now        func() time.Time
	Wait       time.Duration // zero: DefaultWait
	// Tell is called with each blob that this sweep marks or removes. It may be nil.
	Tell func(i Info, removed bool)
}

// Marks keeps the marks between two sweeps. They are a hint about time only: lost
// marks delay a removal and never cause one.
type Marks interface {
	// LoadMarks gives the marks that were saved last; none is no error.
	LoadMarks(ctx context.Context) (map[verdict.Digest]time.Time, error)
	// SaveMarks replaces all marks.
	SaveMarks(ctx context.Context, marks map[verdict.Digest]time.Time) error
}

// SweepResult says what one sweep saw and did.
type SweepResult struct {
	Seen    int64 // blobs listed
	Marked  int64 // marked by this sweep
	Waiting int64 // marked by an earlier sweep, not yet due
	Kept    int64 // marked earlier and referred to or put again: mark cleared
	Deleted int64
	Freed   int64 // bytes of the deleted
	// Due is when all that are marked now may be removed; zero when none is.
	Due time.Time
}

// Sweep runs one sweep: it clears, sets and acts on marks as its type tells. On error
// the marks of before stay, and what was removed until then is in the result.
func (s *Sweeper) Sweep(ctx context.Context) (SweepResult, error) {
	var r SweepResult
	old, err := s.Marks.LoadMarks(ctx)
	if err != nil {
		return r, fmt.Errorf("load sweep marks: %w", err)
	}
	marks := map[verdict.Digest]time.Time{}
	var batch []Info
	flush := func() error {
		err := s.judge(ctx, batch, old, marks, &r)
		batch = batch[:0]
		return err
	}
	err = s.Store.List(ctx, func(i Info) error {
		r.Seen++
		if batch = append(batch, i); len(batch) < sweepBatch {
			return nil
		}
		return flush()
	})
	if err == nil {
		err = flush()
	}
	if err != nil {
		return r, fmt.Errorf("sweep blobs: %w", err)
	}
	if err := s.Marks.SaveMarks(ctx, marks); err != nil {
		return r, fmt.Errorf("save sweep marks: %w", err)
	}
	return r, nil
}

// judge decides about one batch and fills marks with those that go on to the next sweep.
func (s *Sweeper) judge(ctx context.Context, batch []Info, old, marks map[verdict.Digest]time.Time, r *SweepResult) error {
	if len(batch) == 0 {
		return nil
	}
	ds := make([]verdict.Digest, len(batch))
	for i, b := range batch {
		ds[i] = b.Digest
	}
	named, err := s.Referenced(ctx, ds)
	if err != nil {
		return fmt.Errorf("ask for references to %d blobs: %w", len(ds), err)
	}
	used := make(map[verdict.Digest]bool, len(named))
	for _, d := range named {
		used[d] = true
	}
	now := s.Now().UTC()
	for _, b := range batch {
		at, marked := old[b.Digest]
		if at.After(now) { // the clock went back: count the wait from now
			at = now
		}
		switch {
		case marked && (used[b.Digest] || !b.Put.Before(at)):
			r.Kept++
		case used[b.Digest]:
		case !marked:
			r.Marked++
			marks[b.Digest] = now
			s.tell(b, false)
			r.due(now.Add(s.wait()))
		case now.Sub(at) < s.wait():
			r.Waiting++
			marks[b.Digest] = at
			r.due(at.Add(s.wait()))
		default:
			if err := s.remove(ctx, b, at, r); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Sweeper) remove(ctx context.Context, b Info, at time.Time, r *SweepResult) error {
	gone, err := s.Store.Delete(ctx, b.Digest, at)
	if err != nil {
		return fmt.Errorf("delete blob %s: %w", b.Digest.Short(), err)
	}
	if !gone {
		r.Kept++
		return nil
	}
	r.Deleted++
	r.Freed += b.Size
	s.tell(b, true)
	return nil
}

func (r *SweepResult) due(t time.Time) {
	if t.After(r.Due) {
		r.Due = t
	}
}

func (s *Sweeper) tell(i Info, removed bool) {
	if s.Tell != nil {
		s.Tell(i, removed)
	}
}

func (s *Sweeper) wait() time.Duration {
	if s.Wait > 0 {
		return s.Wait
	}
	return DefaultWait
}
