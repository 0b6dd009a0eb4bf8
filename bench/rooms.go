package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"time"
)

// room is one part of the house that is measured.
type room struct {
	name    string
	measure func(ctx context.Context, w io.Writer, o options, f figures) error
}

// inRoom runs a room's benchmarks on so many cores; 0 for all of them.
func inRoom(dir string, cores int) room {
	return room{dir, func(ctx context.Context, w io.Writer, o options, f figures) error {
		return benchmarks(ctx, w, o, f, dir, ".", cores)
	}}
}

// decisions measures gates on all cores, as their callers share them, and the rest on one.
func decisions(ctx context.Context, w io.Writer, o options, f figures) error {
	return errors.Join(benchmarks(ctx, w, o, f, "decide", "Gate|Trust", 0), benchmarks(ctx, w, o, f, "decide", "Replay|Backtest", 1))
}

// What is promised per core or as processor time is measured on one: there the clock on
// the wall and the processor's agree, also about collecting garbage.
var rooms = []room{inRoom("ledger", 0), inRoom("policy", 1), {"decide", decisions}, inRoom("advisory", 0), inRoom("ci", 0), inRoom("deploy/admission", 0), {"opa", besideOPA}, {"binary", binary}, {"rematch", rematch}, {"served", served}}

// promises are the figures to reach, row by row.
var promises = []promise{
	{what: "durable append, SQLite, 128 writers", figure: "ledger Append/sqlite/128_writers appends/s", scale: 1, unit: "/s", least: 4000},
	{what: "durable append, PostgreSQL, 128 writers", figure: "ledger Append/postgres/128_writers appends/s", scale: 1, unit: "/s", least: 1800},
	{what: "durable append, SQLite, 1 writer", figure: "ledger Append/sqlite/1_writer appends/s", scale: 1, unit: "/s", least: 400},
	{what: "inclusion proof at 1,000,000 entries, p50", figure: "ledger Inclusion p50-µs", scale: 1e-3, unit: "ms", most: 1},
	{what: "consistency proof at 1,000,000 entries, p50", figure: "ledger Consistency p50-µs", scale: 1e-3, unit: "ms", most: 1},
	{what: "verification of 1,000,000 entries", figure: "ledger Verify/chain_and_projections s/log", scale: 1, unit: "s", most: 60},
	{what: "… its memory", figure: "ledger Verify/chain_and_projections peak-MB", scale: 1, unit: "MB", most: 200},
	{what: "… with signatures", figure: "ledger Verify/with_signatures s/log", scale: 1, unit: "s", most: 150},
	{what: "… its memory", figure: "ledger Verify/with_signatures peak-MB", scale: 1, unit: "MB", most: 200},
	{what: "bill of 500 components: read, validated, indexed, logged", figure: "ledger Bill/500_components bills/s", scale: 1, unit: "/s", least: 60},
	{what: "bill of 5,000 components", figure: "ledger Bill/5000_components ms/bill", scale: 1, unit: "ms", most: 300},
	{what: "where, popular package, 100,000 artifacts, 3,000 running, p99", figure: "ledger Where/popular p99-µs", scale: 1e-3, unit: "ms", most: 60},
	{what: "… a package of the tail, p99", figure: "ledger Where/tail p99-µs", scale: 1e-3, unit: "ms", most: 3},
	{what: "… popular, the first question after a deployment, p99", figure: "ledger Where/popular_after_a_change p99-µs", scale: 1e-3, unit: "ms", most: 60},
	{what: "… which artifacts one new advisory is about, p99", figure: "ledger Where/one_new_advisory p99-µs", scale: 1e-3, unit: "ms", most: 100},
	{what: "… the index on disk", figure: "ledger Where/size MB", scale: 1, unit: "MB", most: 100},
	{what: "policy decision, 25 rules, allow, one core", figure: "policy Decision25Rules/allow cpu-ms/op", scale: 1, unit: "ms", most: 0.6},
	{what: "policy decision, 25 rules, deny, one core", figure: "policy Decision25Rules/deny cpu-ms/op", scale: 1, unit: "ms", most: 1.2},
	{what: "the same 25 rules, 500 findings, beside opa run --server, throughput", figure: "opa 500_findings times", scale: 1, unit: "times", least: 1.8},
	{what: "… by processor time, whatever else runs", figure: "opa 500_findings cpu-times", scale: 1, unit: "times", least: 1.8},
	{what: "gate decision, 500 findings, recorded durably, p50", figure: "decide Gate/1_callers p50-ms", scale: 1, unit: "ms", most: 5},
	{what: "… p99", figure: "decide Gate/1_callers p99-ms", scale: 1, unit: "ms", most: 25},
	{what: "… 16 callers", figure: "decide Gate/16_callers decisions/s", scale: 1, unit: "/s", least: 400},
	{what: "artifact.trust, bill of 500 components, recorded durably, p50", figure: "decide Trust p50-ms", scale: 1, unit: "ms"},
	{what: "… p99", figure: "decide Trust p99-ms", scale: 1, unit: "ms"},
	{what: "replay, one core", figure: "decide Replay decisions/s", scale: 1, unit: "/s", least: 1200},
	{what: "backtest of 10,000 decisions, one core", figure: "decide Backtest s/10000_decisions", scale: 1, unit: "s", most: 12},
	{what: "admission, 100,000 decisions, 50 clients over TLS at 1,000/s from a second process: handler, p50", figure: "admission Admission/open_loop handler-p50-ms", scale: 1, unit: "ms", most: 0.5},
	{what: "… handler, p99", figure: "admission Admission/open_loop handler-p99-ms", scale: 1, unit: "ms", most: 2},
	{what: "… as the clients see it, from when a request was due, p99", figure: "admission Admission/open_loop client-p99-ms", scale: 1, unit: "ms"},
	{what: "… processor time of an answer, TLS included", figure: "admission Admission/open_loop cpu-ms/answer", scale: 1, unit: "ms"},
	{what: "… as many as are answered, with the load made on the same cores", figure: "admission Admission/saturation answers/s", scale: 1, unit: "/s"},
	{what: "… the decisions are read at the start", figure: "admission Admission/start s", scale: 1, unit: "s", most: 2},
	{what: "… by processor time, whatever else runs", figure: "admission Admission/start cpu-s", scale: 1, unit: "s", most: 2},
	{what: "… their memory", figure: "admission Admission/start MB", scale: 1, unit: "MB", most: 100},
	{what: "verdict version", figure: "binary version ms", scale: 1, unit: "ms", most: 50},
	{what: "verdict ci, 100 files, warm index", figure: "binary ci ms", scale: 1, unit: "ms", most: 400},
	{what: "advisories import, one new advisory, 100,000 artifacts, a package of the tail", figure: "rematch tail ms", scale: 1e-3, unit: "s"},
	{what: "… a package that every fortieth lists", figure: "rematch common ms", scale: 1e-3, unit: "s"},
	{what: "… for each artifact that was matched and recorded again", figure: "rematch common ms/artifact", scale: 1, unit: "ms"},
	{what: "evidence over HTTP: verified, durable, logged; SQLite, 128 writers", figure: "served Evidence/sqlite pieces/s", scale: 1, unit: "/s", least: 1500},
	{what: "… p99", figure: "served Evidence/sqlite p99-ms", scale: 1, unit: "ms", most: 300},
	{what: "… PostgreSQL", figure: "served Evidence/postgres pieces/s", scale: 1, unit: "/s", least: 1500},
	{what: "… p99", figure: "served Evidence/postgres p99-ms", scale: 1, unit: "ms", most: 300},
	{what: "why, a change with 200 pieces of evidence, 1,000,000 entries, p99", figure: "served Why p99-ms", scale: 1, unit: "ms", most: 100},
	{what: "its trail, p99", figure: "served Trail p99-ms", scale: 1, unit: "ms"},
	{what: "serve, 1,000,000 entries, 100,000 of them decisions, until ready", figure: "served Start p50-ms", scale: 1e-3, unit: "s", most: 5},
	{what: "… its memory", figure: "served Start peak-MB", scale: 1, unit: "MB", most: 400},
	{what: "serve, idle", figure: "served Idle MB", scale: 1, unit: "MB", most: 80},
	{what: "… without the pages of the program's file", figure: "served Idle own-MB", scale: 1, unit: "MB"},
	// 95 before the clouds: signing in to AWS adds 3.3, S3 5.3, Azure 2.2 (Blob Storage 0.2 of
	// it), Google Cloud Storage 1.8; the rest is the control plane's.
	{what: "size of the binary", figure: "binary size bytes", scale: 1e-6, unit: "MB", most: 112},
}

const (
	startRuns = 21 // odd, for a median that is one of them
	treeFiles = 100
)

// binary measures the program as a user starts it: the median of many runs.
func binary(ctx context.Context, w io.Writer, o options, f figures) error {
	program, err := o.absolute()
	if err != nil {
		return err
	}
	info, err := os.Stat(program)
	if err != nil {
		return err
	}
	f.set("binary", "size", "bytes", float64(info.Size()))
	fmt.Fprintf(w, "size: %.1f MB\n", float64(info.Size())/1e6)

	home, err := os.MkdirTemp("", "verdict-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(home)
	h := homeOf{program, home}
	if err := h.median(ctx, w, f, "version", "version"); err != nil {
		return err
	}
	if err := h.repository(ctx); err != nil {
		return err
	}
	if _, err := h.command(ctx, program, "advisories", "import", advisories(home)); err != nil {
		return err
	}
	return h.median(ctx, w, f, "ci", "ci", filepath.Join(home, "tree"))
}

// homeOf is a user with an empty home.
type homeOf struct{ program, dir string }

func (h homeOf) command(ctx context.Context, name string, args ...string) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = h.dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + h.dir, "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=b", "GIT_AUTHOR_EMAIL=b@example.org", "GIT_COMMITTER_NAME=b", "GIT_COMMITTER_EMAIL=b@example.org"}
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	began := time.Now()
	if err := cmd.Run(); err != nil {
		return 0, fmt.Errorf("%s %v: %w\n%s", filepath.Base(name), args, err, said.String())
	}
	return time.Since(began), nil
}

func (h homeOf) median(ctx context.Context, w io.Writer, f figures, name string, args ...string) error {
	var took []time.Duration
	for range startRuns {
		d, err := h.command(ctx, h.program, args...)
		if err != nil {
			return err
		}
		took = append(took, d)
	}
	slices.Sort(took)
	p50 := took[len(took)/2]
	f.set("binary", name, "ms", float64(p50)/1e6)
	fmt.Fprintf(w, "verdict %s: p50 %v, least %v, most %v of %d runs\n", name, p50.Round(time.Microsecond*100), took[0].Round(time.Microsecond*100), took[len(took)-1].Round(time.Microsecond*100), startRuns)
	return nil
}

// repository makes a committed tree of treeFiles files: sources, and one lockfile.
func (h homeOf) repository(ctx context.Context) error {
	tree := filepath.Join(h.dir, "tree")
	for i := range treeFiles - 2 {
		if err := put(filepath.Join(tree, fmt.Sprintf("p%d", i%10), fmt.Sprintf("f%d.go", i)), source(i)); err != nil {
			return err
		}
	}
	if err := put(filepath.Join(tree, "go.mod"), "module example.org/tree\n\ngo 1.26\n\nrequire golang.org/x/text v0.43.0\n"); err != nil {
		return err
	}
	if err := put(filepath.Join(tree, "go.sum"), "golang.org/x/text v0.43.0 h1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n"); err != nil {
		return err
	}
	for _, args := range [][]string{{"init", "-q", "-b", "main", tree}, {"-C", tree, "add", "."}, {"-C", tree, "commit", "-q", "-m", "tree"}} {
		if _, err := h.command(ctx, "git", args...); err != nil {
			return err
		}
	}
	return nil
}

func source(i int) string {
	var b bytes.Buffer
	fmt.Fprintf(&b, "// Package p%d is a part of a tree that is measured.\npackage p%d\n", i%10, i%10)
	for j := range 60 {
		fmt.Fprintf(&b, "\n// F%d_%d adds what it is given to a constant.\nfunc F%d_%d(x int) int { return x + %d }\n", i, j, i, j, i*j)
	}
	return b.String()
}

func put(path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, []byte(text), 0o644)
}

// advisories are the largest set of facts at hand: the corpus, or the example's.
func advisories(home string) string {
	if dir := os.Getenv("VERDICT_CORPORA"); dir != "" {
		if p := filepath.Join(dir, "osv", "go-vulndb-osv.tar.gz"); exists(p) {
			return p
		}
	}
	p, err := filepath.Abs(filepath.Join("examples", "acme", "advisories"))
	if err != nil {
		return home
	}
	return p
}

func exists(p string) bool { _, err := os.Stat(p); return err == nil }
