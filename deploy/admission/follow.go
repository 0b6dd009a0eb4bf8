package admission

import (
	"context"
	"fmt"
	"time"

	"verdict"
	"verdict/ledger"
)

// Log is what is asked of the ledger.
type Log interface {
	// Position is how many entries there are now.
	Position(ctx context.Context) (ledger.Position, error)
	// Find lists entries, newest first.
	Find(ctx context.Context, q ledger.Query) ([]ledger.Entry, error)
	// SignedDecisions lists the decisions of a point about an environment, oldest first.
	SignedDecisions(ctx context.Context, point, environment string, from, to ledger.Position) ([]ledger.SignedDecision, error)
}

// Waiter is a Log that tells of new entries: Wait returns when there are more than after.
type Waiter interface {
	Wait(ctx context.Context, after ledger.Position) (ledger.Position, error)
}

// MaxLag is how far behind the log a set may be whose word counts.
const MaxLag = 5 * time.Second

// maxSkew is how far the clock may be behind the last entry, as for a gate.
const maxSkew = 5 * time.Minute

const (
	askEvery  = time.Second            // whether the store still answers, where nothing happens
	pollEvery = 250 * time.Millisecond // of a Log that is no Waiter, or that failed
	sayEvery  = 30 * time.Second       // that it fails
	pageOf    = 10_000                 // most that SignedDecisions gives at once
)

// basisKinds are the kinds of evidence that change by what is counted: which map holds, and
// under which names keys are enrolled.
var basisKinds = []verdict.Kind{verdict.KindMapRelease, verdict.KindKey}

// Run builds the set and follows the log until ctx ends. Then it records what waits to be
// recorded, and returns nil. What fails is logged and tried again: who is asked meanwhile
// tells how far behind the answer is.
func (a *Admission) Run(ctx context.Context) error {
	recorded := make(chan struct{})
	go func() { defer close(recorded); a.records.run(ctx) }()
	var said time.Time // when it was last said that it fails; zero while it does not
	for ctx.Err() == nil {
		err := a.CatchUp(ctx)
		switch now := a.o.Now(); {
		case err == nil:
			if !said.IsZero() {
				a.o.Logger.Info("admission follows the log again")
			}
			said = time.Time{}
			a.await(ctx)
			continue
		case ctx.Err() == nil && (said.IsZero() || now.Sub(said) > sayEvery):
			a.o.Logger.Warn("admission does not follow the log", "error", err)
			said = now
		}
		pause(ctx, pollEvery)
	}
	<-recorded
	return nil
}

// CatchUp brings the set to the end of the log. One goroutine calls it at a time.
func (a *Admission) CatchUp(ctx context.Context) error {
	asked := a.o.Now()
	to, err := a.o.Log.Position(ctx)
	if err != nil {
		return err
	}
	s := a.set.Load()
	switch {
	case s == nil:
		err = a.rebuild(ctx, to)
	case ledger.Position(s.applied.Load()) == to:
	default:
		from := ledger.Position(s.applied.Load())
		var other bool
		if other, err = a.otherBasis(ctx, from, to); err != nil {
			break
		}
		if other || to < from { // a log that is shorter than it was is another one
			err = a.rebuild(ctx, to)
		} else {
			err = a.fill(ctx, s, from, to)
		}
	}
	if err == nil {
		err = a.keepsTime(ctx, asked, to)
	}
	if err == nil {
		a.fresh.Store(&asked)
	}
	return err
}

// keepsTime refuses a clock that is behind the log: by it a promotion that is over would still
// hold. Until it is set right, the set is as one that is behind.
func (a *Admission) keepsTime(ctx context.Context, now time.Time, to ledger.Position) error {
	last, err := a.o.Log.Find(ctx, ledger.Query{At: to, Limit: 1})
	if err != nil || len(last) == 0 || last[0].At.Sub(now) <= maxSkew {
		return err
	}
	return &verdict.Error{
		Code:   verdict.CodeUnavailable,
		What:   fmt.Sprintf("this machine's clock says %s, and the last entry of the log was recorded at %s: what has expired cannot be told", now.UTC().Format(time.RFC3339), last[0].At.UTC().Format(time.RFC3339)),
		Remedy: "set the clock of this machine right; a gate that is asked says which entry lies ahead",
	}
}

// await returns when there may be something new, and no later than askEvery.
func (a *Admission) await(ctx context.Context) {
	w, ok := a.o.Log.(Waiter)
	if !ok {
		pause(ctx, pollEvery)
		return
	}
	within, stop := context.WithTimeout(ctx, askEvery)
	defer stop()
	after := ledger.Position(a.set.Load().applied.Load())
	if _, err := w.Wait(within, after); err != nil && within.Err() == nil {
		pause(ctx, pollEvery)
	}
}

func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// otherBasis reports whether something between two positions changes by what is counted.
func (a *Admission) otherBasis(ctx context.Context, from, to ledger.Position) (bool, error) {
	for _, k := range basisKinds {
		found, err := a.o.Log.Find(ctx, ledger.Query{Kind: k, From: int64(from), At: to, Limit: 1})
		if err != nil || len(found) > 0 {
			return len(found) > 0, err
		}
	}
	return false, nil
}

// rebuild makes a new set of the map in force. Until it is whole, the old one answers.
func (a *Admission) rebuild(ctx context.Context, to ledger.Position) error {
	b, err := a.o.Basis(ctx, to)
	if err != nil {
		return fmt.Errorf("find the map by which admission counts: %w", err)
	}
	s := newSet(b)
	if err := a.fill(ctx, s, 0, to); err != nil {
		return err
	}
	a.set.Store(s)
	return nil
}

// fill takes the decisions from a position to another into a set, and what indexes name.
func (a *Admission) fill(ctx context.Context, s *set, from, to ledger.Position) error {
	for e := range s.m.Environments {
		for at := from; ; {
			page, err := a.o.Log.SignedDecisions(ctx, s.gate.ID, e, at, to)
			if err != nil {
				return fmt.Errorf("read the promotions to %s: %w", e, err)
			}
			for _, row := range page {
				s.take(row, to)
			}
			if len(page) < pageOf {
				break
			}
			at = ledger.Position(page[len(page)-1].Index + 1)
		}
	}
	if err := s.images(ctx, a.o.Log, from, to); err != nil {
		return err
	}
	s.applied.Store(int64(to))
	return nil
}

// lag is for how long nobody knows whether the set is at the end of the log.
func (a *Admission) lag() time.Duration {
	fresh := a.fresh.Load()
	if fresh == nil {
		return MaxLag + 1
	}
	return max(0, a.o.Now().Sub(*fresh))
}
