// Command bench measures what the project promises about speed and memory, and says for
// each promise whether it was met on this machine. The benchmarks are in the rooms; this
// program runs them one room at a time, measures the binary itself, and ends with a table.
//
// It exits with 0 when it could measure, also where a figure is missed: a figure is read
// together with the machine and its load, never by a pipeline.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// options is what the command line says.
type options struct {
	verdict   string // the binary
	benchtime string
	only      string // rooms, separated by commas; empty for all
	tools     string // the folder of programs that are compared with
}

func run(ctx context.Context, w io.Writer, args []string) error {
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.StringVar(&o.verdict, "verdict", "bin/verdict", "the binary to measure")
	flags.StringVar(&o.benchtime, "benchtime", "2s", "how long each benchmark runs (go test -benchtime)")
	flags.StringVar(&o.only, "only", "", "measure these rooms only, such as ledger,policy; binary is the program itself")
	flags.StringVar(&o.tools, "tools", "", "the folder that make -C test/peers engine built into")
	if err := flags.Parse(args); err != nil {
		return err
	}
	fmt.Fprintln(w, thisMachine())
	f := figures{}
	for _, r := range rooms {
		if !o.wants(r.name) {
			continue
		}
		fmt.Fprintf(w, "\n== %s\n", r.name)
		if err := r.measure(ctx, w, o, f); err != nil {
			fmt.Fprintf(w, "not measured: %v\n", err) // its rows say so in the table
		}
	}
	fmt.Fprintf(w, "\n%s\n\n%s", thisMachine(), table(promises, f))
	return ctx.Err()
}

func (o options) wants(room string) bool {
	return o.only == "" || strings.Contains(","+o.only+",", ","+room+",")
}

// benchmarks runs those benchmarks of a package that a pattern names, on so many cores (0
// for all of them) and with more in their environment, and reads their figures.
func benchmarks(ctx context.Context, w io.Writer, o options, f figures, dir, pattern string, cores int, env ...string) error {
	if cores == 0 {
		cores = runtime.GOMAXPROCS(0)
	}
	cmd := exec.CommandContext(ctx, "go", "test", "-run", "^$", "-bench", pattern, "-cpu", strconv.Itoa(cores),
		"-benchtime", o.benchtime, "-benchmem", "-timeout", "60m", "./"+dir)
	cmd.Env = append(append(os.Environ(), "VERDICT_BENCH=1"), env...)
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = io.MultiWriter(w, &said), w
	err := cmd.Run()
	f.read(filepath.Base(dir), said.String())
	if err != nil {
		return fmt.Errorf("go test -bench %s ./%s: %w", pattern, dir, err)
	}
	return nil
}

// absolute is the path of the binary, which must be there.
func (o options) absolute() (string, error) {
	p, err := filepath.Abs(o.verdict)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(p); err != nil {
		return "", fmt.Errorf("%w; run make build", err)
	}
	return p, nil
}
