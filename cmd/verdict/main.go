// Command verdict takes security decisions where the reference architecture puts them,
// keeps the evidence for each, and explains any of them later.
//
// This package owns flags, configuration, wiring and exit codes; it is the only one that
// knows all rooms. A command is one entry of the table in commands.go.
package main

import (
	"context"
	"crypto/rand"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

func main() { os.Exit(process()) }

// process runs the command line of this process. The first signal cancels the context;
// a second one ends the process at once.
func process() int {
	if _, set := os.LookupEnv("GOGC"); !set {
		// The heap is small and most of it garbage of JSON documents: with the default of
		// 100, collecting it costs a third of a decision.
		debug.SetGCPercent(400)
	}
	if _, set := os.LookupEnv("GOMEMLIMIT"); !set {
		limitHeap() // a large tree has a large heap
	}
	// The library for infrastructure code keeps what it logs until there is a default logger.
	slog.SetDefault(slog.New(slog.DiscardHandler))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Environ(), os.Stdin, os.Stdout, os.Stderr, os.Args[1:])
}

// run is the whole command line: what the process was given goes in, the exit code comes
// out. Tests call it with parts of their own.
func run(ctx context.Context, env []string, stdin io.Reader, stdout, stderr io.Writer, args []string) int {
	a := &app{
		table:  commands(),
		env:    newEnvironment(env),
		stdin:  stdin,
		stdout: stdout,
		stderr: stderr,
		now:    time.Now,
		rand:   rand.Reader,
	}
	return a.main(ctx, args)
}
