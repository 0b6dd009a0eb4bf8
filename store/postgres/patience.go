package postgres

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"verdict"
)

// A database behind a network that swallows everything answers neither yes nor no, and the
// operating system waits a quarter of an hour for it. Nobody who waits at a gate may.

const (
	// usualPatience is for how long the database may be silent. Appends and questions take
	// milliseconds, and what goes through all rows gives some of them all the time.
	usualPatience = 20 * time.Second
	// connecting is how long a connection may take.
	connecting = 5 * time.Second
	// connections is how many one process has at most: what waits for one waits less in
	// here than in a database that does more at once than it has processors.
	connections = 16
)

// patienceWord is the word of an address that sets it, in seconds.
const patienceWord = "patience"

// patienceOf takes it out of the words that go to the server.
func patienceOf(c *pgxpool.Config) (time.Duration, error) {
	text, set := c.ConnConfig.RuntimeParams[patienceWord]
	if !set {
		return usualPatience, nil
	}
	delete(c.ConnConfig.RuntimeParams, patienceWord)
	seconds, err := strconv.Atoi(text)
	if err != nil || seconds < 1 || seconds > 3600 {
		return 0, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("patience=%.20s in the address of the PostgreSQL database is no number of seconds", text),
			Remedy: "write it as patience=20, from 1 to 3600, or leave it out", Err: err,
		}
	}
	return time.Duration(seconds) * time.Second, nil
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// errSilent: the database did not answer for as long as we wait.
var errSilent = errors.New("no answer")

// silence ends a context when the database is silent for too long.
type silence struct {
	limit time.Duration
	timer *time.Timer
	stop  context.CancelCauseFunc
}

func patient(ctx context.Context, limit time.Duration) (context.Context, *silence) {
	ctx, stop := context.WithCancelCause(ctx)
	return ctx, &silence{limit, time.AfterFunc(limit, func() { stop(errSilent) }), stop}
}

func (s *silence) pause()  { s.timer.Stop() }
func (s *silence) resume() { s.timer.Reset(s.limit) }

func (s *silence) end() {
	s.timer.Stop()
	s.stop(nil)
}

// because adds to an error that it was the silence.
func (s *silence) because(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errSilent) {
		return fmt.Errorf("%w for %s: %w", errSilent, s.limit, err)
	}
	return err
}
