package server

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/ledger"
)

const (
	deliveryWorkers = 2
	lookForWork     = 2 * time.Second // where another replica received it, or a pause is over
	forgetEvery     = time.Hour
	afterFault      = 2 * time.Second
	mostFollowed    = 1_000 // entries of one look
)

// Run works on deliveries and follows the log for those that wait, until ctx ends. Each
// replica runs it under a name of its own; a piece of work is done by one at a time.
func (w *Webhooks) Run(ctx context.Context, owner string) error {
	g, ctx := errgroup.WithContext(ctx)
	for range deliveryWorkers {
		g.Go(func() error { w.work(ctx, owner); return nil })
	}
	g.Go(func() error { w.follow(ctx); return nil })
	return g.Wait()
}

func (w *Webhooks) work(ctx context.Context, owner string) {
	for ctx.Err() == nil {
		worked, err := w.Turn(ctx, owner)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			w.o.Logger.Error("deliveries cannot be worked on", "error", err.Error())
			rest(ctx, afterFault)
		case !worked:
			w.idle(ctx)
		}
	}
}

// idle waits for news, or until it is time to look for work of other replicas.
func (w *Webhooks) idle(ctx context.Context) {
	t := time.NewTimer(lookForWork)
	defer t.Stop()
	select {
	case <-t.C:
	case <-w.news:
	case <-ctx.Done():
	}
}

// follow wakes the work for what is newly decided or approved. What it misses, while the
// database is away or this process is, the work finds when it looks anyway.
func (w *Webhooks) follow(ctx context.Context) {
	at := ledger.Position(-1)
	for ctx.Err() == nil {
		var err error
		if at, err = w.followFrom(ctx, at); err != nil && ctx.Err() == nil {
			w.o.Logger.Warn("the log cannot be followed for deliveries that wait", "error", err.Error())
			rest(ctx, afterFault)
		}
	}
}

func (w *Webhooks) followFrom(ctx context.Context, at ledger.Position) (ledger.Position, error) {
	if at < 0 {
		return w.o.Records.Position(ctx)
	}
	next, err := w.o.Records.Wait(ctx, at)
	if err != nil {
		return at, err
	}
	for at < next {
		to := min(next, at+mostFollowed)
		entries, err := w.o.Records.Range(ctx, at, to)
		if err != nil {
			return at, err
		}
		if err := w.wake(ctx, entries); err != nil {
			return at, err
		}
		at = to
	}
	return at, nil
}

// wake makes due what waits for the subjects of decisions and approvals.
func (w *Webhooks) wake(ctx context.Context, entries []ledger.Entry) error {
	var subjects []string
	for _, e := range entries {
		if e.Kind != verdict.KindDecision && e.Kind != verdict.KindApproval {
			continue
		}
		for _, s := range e.Subjects {
			subjects = append(subjects, string(s.Digest))
		}
	}
	if len(subjects) == 0 {
		return nil
	}
	now, err := w.at(ctx)
	if err != nil {
		return err
	}
	if err := w.o.Store.WakeDeliveries(ctx, subjects, now.UnixMicro()); err != nil {
		return err
	}
	select {
	case w.news <- struct{}{}:
	default: // it is told already
	}
	return nil
}

// Chore removes, once in a while, what is over and older than a delivery can be.
func (w *Webhooks) Chore() Chore {
	return Chore{Name: "deliveries", Every: forgetEvery, Do: func(ctx context.Context) error {
		return w.o.Store.ForgetDeliveries(ctx, w.o.Now().Add(-keepDeliveries).UnixMicro())
	}}
}
