package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// figure is one promise that is about verdict alone.
type figure struct {
	what, got, reach string
	met              bool
	why              string // not measured, and why
}

func (f figure) String() string {
	if f.why != "" {
		return fmt.Sprintf("%s: not measured: %s", f.what, f.why)
	}
	return fmt.Sprintf("%s: %s, reach %s: %s", f.what, f.got, f.reach, word(f.met))
}

const quickRuns = 5 // odd, for a median that is one of them

// median is the wall of the middle one of some runs after a first that warms.
func (c candidate) median(ctx context.Context, what string, most time.Duration, args ...string) figure {
	var took []time.Duration
	for i := range quickRuns + 1 {
		u, err := c.do(ctx, c.home, args...)
		if err != nil {
			return figure{what: what, why: err.Error()}
		}
		if i > 0 {
			took = append(took, u.Wall)
		}
	}
	slices.Sort(took)
	p50 := took[len(took)/2]
	return figure{what: what, got: p50.Round(time.Millisecond).String(), reach: "< " + most.String(), met: p50 < most}
}

// quick measures the promises that have no peer. tree is a committed monorepo on main.
func quick(ctx context.Context, c candidate, tree, work string) []figure {
	return []figure{tenFiles(ctx, c, tree), coldStart(ctx, c, work), matching(c), manyAdvisories(ctx, c, work)}
}

func coldStart(ctx context.Context, c candidate, work string) figure {
	const what = "verdict ci of a tree without infrastructure files"
	dir := filepath.Join(work, "plain")
	m := &maker{root: dir}
	m.put("main.go", "package main\n\nfunc main() {}\n")
	m.put("go.mod", "module example.org/plain\n\ngo 1.26\n")
	if m.err == nil {
		m.err = commit(ctx, dir, work)
	}
	if m.err != nil {
		return figure{what: what, why: m.err.Error()}
	}
	return c.median(ctx, what, 150*time.Millisecond, "ci", dir, "--report-only")
}

// tenFiles changes ten files of the monorepo on a branch, among them a lockfile.
func tenFiles(ctx context.Context, c candidate, tree string) figure {
	const what = "warm verdict ci --diff of 10 files in the monorepo"
	if err := git(ctx, tree, c.home, "checkout", "-q", "-B", "change"); err != nil {
		return figure{what: what, why: err.Error()}
	}
	all, err := filepath.Glob(filepath.Join(tree, "services", "s0*", "*", "*.go"))
	if err != nil || len(all) < 10 {
		return figure{what: what, why: fmt.Sprintf("%d files to change, %v", len(all), err)}
	}
	for _, p := range all[:10] {
		f, err := os.OpenFile(p, os.O_APPEND|os.O_WRONLY, 0)
		if err == nil {
			_, err = f.WriteString("\n// Changed says nothing.\nconst Changed = 1\n")
			err = errors.Join(err, f.Close())
		}
		if err != nil {
			return figure{what: what, why: err.Error()}
		}
	}
	if err := git(ctx, tree, c.home, "commit", "-q", "-a", "-m", "change"); err != nil {
		return figure{what: what, why: err.Error()}
	}
	return c.median(ctx, what, 400*time.Millisecond, "ci", tree, "--diff", "main", "--report-only")
}

// manyAdvisories imports 100,000 records into an empty home.
func manyAdvisories(ctx context.Context, c candidate, work string) figure {
	const what, n = "index of 100,000 advisories", 100_000
	db := database{filepath.Join(work, "many")}
	err := db.write("npm", func(add func(string, any) error) error { return invent("npm", n, 1, add) })
	if err != nil {
		return figure{what: what, why: err.Error()}
	}
	fresh := candidate{c.program, filepath.Join(work, "many-home")}
	if err := os.MkdirAll(fresh.home, 0o755); err != nil {
		return figure{what: what, why: err.Error()}
	}
	u, err := fresh.do(ctx, fresh.home, "advisories", "import", db.archive("npm"), "--name", "npm")
	if err != nil {
		return figure{what: what, why: err.Error()}
	}
	var bytes int64
	err = filepath.WalkDir(fresh.home, func(_ string, d os.DirEntry, err error) error {
		if err == nil && d.Type().IsRegular() {
			if info, e := d.Info(); e == nil {
				bytes += info.Size()
			}
		}
		return err
	})
	if err != nil {
		return figure{what: what, why: err.Error()}
	}
	const mostBytes, mostCPU = 25e6, 20 * time.Second
	return figure{what: what, got: fmt.Sprintf("%.1f MB in %.1f s CPU", float64(bytes)/1e6, u.CPU.Seconds()), reach: "< 25 MB, < 20 s CPU", met: bytes < mostBytes && u.CPU < mostCPU}
}
