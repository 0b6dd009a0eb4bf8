package main

import (
	"context"
	"io"
	"os"
	"path/filepath"
)

// served measures the control plane over loopback: this is the machine of the load, and the
// program runs in a process of its own. The large log is made once, by the ledger's own
// benchmark that leaves one.
func served(ctx context.Context, w io.Writer, o options, f figures) error {
	program, err := o.absolute()
	if err != nil {
		return err
	}
	folder, err := os.MkdirTemp("", "verdict-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	once := o
	once.benchtime = "1x"
	if err := benchmarks(ctx, w, once, figures{}, "ledger", "^BenchmarkLeave$", 0, "VERDICT_BENCH_LEAVE="+folder, "VERDICT_BENCH_ENTRIES=1000000"); err != nil {
		return err
	}
	return benchmarks(ctx, w, o, f, filepath.Join("bench", "served"), ".", 0, "VERDICT_BIN="+program, "VERDICT_BENCH_LARGE="+folder)
}
