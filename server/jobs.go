package server

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"runtime/debug"
	"time"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/store"
)

// A chore is work that comes again, such as the sweep of blobs. Its row in the table of jobs
// is there once, whatever number of replicas looks at it: one of them claims it, holds it
// while it works, and puts it off until the next time. What fails is tried again, less and
// less often; what fails for long is told to operators and never given up, since nobody
// would begin it again.

// Chore is one kind of recurring work.
type Chore struct {
	Name  string        // of its row: unique, and the same in each version
	Every time.Duration // from the end of one time to the next; 0: it is done when somebody asks, by Begin
	// Do works until it is done or ctx ends. It may be done again after a crash.
	Do func(ctx context.Context) error
}

// Times of chores.
const (
	choreLease  = 2 * time.Minute  // after which a replica that is gone has lost it
	choreHold   = 30 * time.Second // how often who works on it says that he is there
	choreLook   = 5 * time.Second
	choreAgain  = 10 * time.Second // after the first failure; doubles
	choreLater  = 6 * time.Hour    // at most
	choreFailed = 5                // failures after which it is an error for operators
	choreSettle = 10 * time.Second // to give the work back when the process stops

	never = math.MaxInt64 // when work is due that comes only when somebody asks for it
)

// Chores does recurring work until its Run ends.
type Chores struct {
	Store  *store.Store
	Now    func() time.Time
	Logger *slog.Logger
	// Owner names this process among the replicas, and no other.
	Owner string
	List  []Chore

	hold time.Duration // choreHold where it is 0
}

// errLost: the lease ran out, and another replica has the work.
var errLost = errors.New("another replica took the work over")

// choreKind is the kind of the row of a chore: one for each, so that a slow one keeps no
// other waiting.
func (c Chore) kind() string { return "chore/" + c.Name }

// Run works until ctx ends. What is under way then is told to stop and given back, so that
// another replica takes it up at once.
func (c *Chores) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, x := range c.List {
		g.Go(func() error { c.follow(ctx, x); return nil })
	}
	return g.Wait()
}

func (c *Chores) follow(ctx context.Context, x Chore) {
	begun := false
	for ctx.Err() == nil {
		var err error
		if !begun { // there is a row for it, from this replica or another one
			var now time.Time
			if now, err = c.at(ctx); err == nil {
				err = c.Store.AddJob(ctx, store.Job{ID: x.kind(), Kind: x.kind(), Doc: "{}", Due: now.UnixMicro()})
			}
			begun = err == nil
		}
		if err == nil {
			_, err = c.Turn(ctx, x)
		}
		if err != nil && ctx.Err() == nil {
			c.Logger.Warn("the work that waits cannot be looked at", "work", x.Name, "error", err.Error())
		}
		rest(ctx, choreLook)
	}
}

// at is the time by which leases and what is due are told.
func (c *Chores) at(ctx context.Context) (time.Time, error) { return c.Store.Time(ctx, c.Now()) }

// rest waits until the time is over or ctx ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}

// Turn does the work once if it is due and nobody has it, and reports whether it did. An
// error means that the store does not answer; how the work ended is in its row.
func (c *Chores) Turn(ctx context.Context, x Chore) (bool, error) {
	now, err := c.at(ctx)
	if err != nil {
		return false, err
	}
	job, found, err := c.Store.ClaimJob(ctx, x.kind(), c.Owner, now.UnixMicro(), now.Add(choreLease).UnixMicro())
	if err != nil || !found {
		return false, err
	}
	fault := c.held(ctx, x, job)
	if errors.Is(fault, errLost) {
		c.Logger.Warn("work took longer than its lease", "work", x.Name)
		return true, nil
	}
	// The process may be about to stop, and who gives nothing back keeps others waiting.
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), choreSettle)
	defer cancel()
	if now, err = c.at(settle); err != nil {
		return true, err
	}
	due, told := c.next(ctx, x, job, fault, now)
	_, err = c.Store.RepeatJob(settle, job.ID, c.Owner, due.UnixMicro(), told)
	return true, err
}

// Begin does the work now, due or not, because somebody asks for it: unless a replica is at it,
// which is an *verdict.Error with CodeConflict. What ends it is told to who asked, and changes
// nothing about when the work comes by itself; done well, that is Every from now.
func (c *Chores) Begin(ctx context.Context, x Chore) error {
	now, err := c.at(ctx)
	if err != nil {
		return err
	}
	row := store.Job{ID: x.kind(), Kind: x.kind(), Doc: "{}", Due: now.UnixMicro()}
	if x.Every == 0 {
		row.Due = never
	}
	if err := c.Store.AddJob(ctx, row); err != nil {
		return err
	}
	job, found, err := c.Store.TakeJob(ctx, row.ID, c.Owner, now.UnixMicro(), now.Add(choreLease).UnixMicro())
	if err != nil {
		return err
	}
	if !found {
		return &verdict.Error{Code: verdict.CodeConflict, What: "this work (" + x.Name + ") is being done already, by this server or a replica of it", Remedy: "wait until it has ended, then ask again; what it does counts for all replicas"}
	}
	fault := c.held(ctx, x, job)
	settle, cancel := context.WithTimeout(context.WithoutCancel(ctx), choreSettle)
	defer cancel()
	due, told := job.Due, job.Fault
	if fault == nil && x.Every > 0 {
		if now, err = c.at(settle); err != nil {
			return err
		}
		due, told = now.Add(x.Every).UnixMicro(), ""
	}
	if x.Every == 0 {
		_, err = c.Store.FinishJob(settle, job.ID, c.Owner)
	} else {
		_, err = c.Store.RepeatJob(settle, job.ID, c.Owner, due, told)
	}
	if errors.Is(fault, errLost) {
		return &verdict.Error{Code: verdict.CodeUnavailable, What: "the work (" + x.Name + ") took longer than this server could hold it, and a replica may do it now", Remedy: "ask again in a few minutes", Err: fault}
	}
	return cmp.Or(fault, err)
}

// next says when the work is due again and what is kept of how it ended. Failures are
// counted in what is kept: attempts of the row count the good ones too.
func (c *Chores) next(ctx context.Context, x Chore, job store.Job, fault error, now time.Time) (time.Time, string) {
	switch {
	case fault == nil:
		return now.Add(x.Every), ""
	case ctx.Err() != nil:
		return now, job.Fault
	}
	failures := 1
	var before int
	if n, err := fmt.Sscanf(job.Fault, "failed %d times", &before); n == 1 && err == nil {
		failures = before + 1
	}
	later := min(choreAgain<<min(failures-1, 20), choreLater)
	tell := c.Logger.Warn
	if failures >= choreFailed {
		tell = c.Logger.Error
	}
	e := verdict.AsError(fault)
	tell("recurring work failed and is tried again", "work", x.Name, "failures", failures, "after", later, "error", fault.Error(), "fix", e.Remedy)
	return now.Add(later), fmt.Sprintf("failed %d times: %.500s", failures, fault.Error())
}

// held does the work and says meanwhile that it is being done.
func (c *Chores) held(ctx context.Context, x Chore, job store.Job) (err error) {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	done := make(chan struct{})
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		lease := c.Now().Add(choreLease) // by the clock of this machine, which alone is there when the store is not
		for {
			rest(ctx, cmp.Or(c.hold, choreHold))
			select {
			case <-done:
				return
			case <-ctx.Done():
				return
			default:
			}
			now, holds := c.Now(), false
			at, err := c.at(ctx)
			if err == nil {
				holds, err = c.Store.HoldJob(ctx, job.ID, c.Owner, at.Add(choreLease).UnixMicro())
			}
			switch {
			case err == nil && holds:
				lease = now.Add(choreLease)
			case err == nil, now.After(lease): // not ours any more, or nobody knows
				stop(errLost)
				return
			}
		}
	}()
	err = c.safely(ctx, x)
	close(done)
	lost := errors.Is(context.Cause(ctx), errLost)
	stop(nil)
	<-ended
	if lost {
		return errLost
	}
	return err
}

// safely does the work. A panic over it is a fault of that work.
func (c *Chores) safely(ctx context.Context, x Chore) (err error) {
	defer func() {
		if p := recover(); p != nil {
			c.Logger.Error("a defect in Verdict", "work", x.Name, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
			err = fmt.Errorf("a defect in Verdict: %v", p)
		}
	}()
	return x.Do(ctx)
}
