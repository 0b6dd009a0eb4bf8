package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"os"
	"time"

	"golang.org/x/sync/errgroup"

	"verdict/server"
)

// chores are what comes again while the server answers: the log's receipts, and what tidies
// up. Any replica does it, and one at a time.
func (h *host) chores(in *server.SignIn) *server.Chores {
	own := h.base.own
	h.work.List = []server.Chore{
		{Name: "receipt", Every: time.Minute, Do: func(ctx context.Context) error { _, _, err := own.Receipt(ctx); return err }},
		{Name: "credentials", Every: time.Hour, Do: in.Sweep},
		sweepChore(func(ctx context.Context) error { _, err := own.Sweep(ctx); return err }),
	}
	if len(h.witnesses) > 0 {
		h.work.List = append(h.work.List, h.witnessChore(func(witnessed) {}))
	}
	return h.work
}

// sweepChore is the sweep of blobs, daily and when an operator asks for it.
func sweepChore(do func(context.Context) error) server.Chore {
	return server.Chore{Name: "sweep", Every: 24 * time.Hour, Do: do}
}

// replicaName names this process among the replicas, and no other.
func replicaName() string {
	var id [8]byte
	_, _ = rand.Read(id[:]) // it never fails
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	return name + "/" + hex.EncodeToString(id[:])
}

// accompanied runs the server and what goes on beside it until ctx ends or one of them cannot go
// on: whoever watches the process sees it then. What is beside the server ends after its last
// answer.
func accompanied(ctx context.Context, serve func(context.Context) error, beside ...func(context.Context) error) error {
	alive, end := context.WithCancel(context.WithoutCancel(ctx))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var g errgroup.Group
	for _, work := range beside {
		g.Go(func() error {
			err := work(alive)
			if err != nil {
				stop()
			}
			return err
		})
	}
	err := serve(ctx)
	end()
	return errors.Join(err, g.Wait())
}
