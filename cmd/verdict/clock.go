package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"verdict"
)

// clockVariable pins the clock, so that a demo with dated facts never goes stale. A
// pinned clock could also make stale data look fresh, so it is fenced in: it is said
// aloud by every command, refused in pipelines, and works only on a data directory that
// was made under it and that takes no entry without it.
const clockVariable = "VERDICT_CLOCK"

// clockMark is the file in a data directory whose ledger lives on a pinned clock.
const clockMark = "PINNED-CLOCK"

// pinClock follows VERDICT_CLOCK, if it is set.
func (a *app) pinClock() error {
	text, set := a.env[clockVariable]
	if !set {
		return nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return usage("", clockVariable+" is not a time", "write it as 2026-11-20T09:00:00Z, or unset it to use the real clock")
	}
	if inPipeline(a.env) {
		return &verdict.Error{Code: verdict.CodeForbidden, What: clockVariable + " is set in a pipeline", Remedy: "unset it: decisions that count are taken on the real clock"}
	}
	t = t.UTC().Truncate(time.Microsecond)
	a.now, a.pinned = func() time.Time { return t }, true
	fmt.Fprintf(a.stderr, "verdict: THE CLOCK IS PINNED to %s by %s: for demos and tests, nothing here counts\n", t.Format(time.RFC3339), clockVariable)
	return nil
}

// checkClock keeps ledgers of the real clock and of a pinned one apart. fresh says that
// the data directory is being made now.
func (a *app) checkClock(folder string, fresh bool) error {
	mark := filepath.Join(folder, clockMark)
	_, err := os.Stat(mark)
	marked := err == nil
	switch {
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("look for %s: %w", mark, err)
	case fresh && a.pinned:
		return markPinned(folder)
	case a.pinned && !marked:
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: clockVariable + " is set, and the ledger in " + folder + " lives on the real clock",
			Remedy: "unset " + clockVariable + ", or name another directory with --data DIR",
		}
	case marked && !a.pinned && !a.config.At.fixed():
		return &verdict.Error{
			Code: verdict.CodeForbidden, What: "the ledger in " + folder + " was made for a demo, under a pinned clock",
			Remedy: "name another directory with --data DIR, or set " + clockVariable + " to look around in this one",
		}
	}
	return nil
}

// markPinned says in a data directory that its ledger lives on a pinned clock.
func markPinned(folder string) error {
	return os.WriteFile(filepath.Join(folder, clockMark), []byte("This ledger was made under "+clockVariable+". Nothing in it counts.\n"), 0o600)
}
