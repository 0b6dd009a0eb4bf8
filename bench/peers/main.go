// Command peers runs verdict ci beside the public tools that it replaces, on the same
// trees and with the same advisories, and says what each cost and what each found.
//
// It exits with 1 where a peer finds a secret or a vulnerability that verdict does not and
// no class of known differences covers it, or where the comparison could not be made at
// all. Missed figures end with 0: they are read with the machine and its load.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Stdout, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "bench-ci:", err)
		os.Exit(1)
	}
}

type options struct{ verdict, tools, pins, tree, corpora string }

func run(ctx context.Context, w io.Writer, args []string) error {
	var o options
	flags := flag.NewFlagSet("peers", flag.ContinueOnError)
	flags.StringVar(&o.verdict, "verdict", "bin/verdict", "the binary to measure")
	flags.StringVar(&o.tools, "tools", "", "the folder that make -C test/peers scanners built into")
	flags.StringVar(&o.pins, "pins", "test/peers/pins.txt", "names and versions of the peers")
	flags.StringVar(&o.tree, "tree", "", "one more tree to compare on")
	flags.StringVar(&o.corpora, "corpora", os.Getenv("VERDICT_CORPORA"), "the folder with published advisories below osv/")
	if err := flags.Parse(args); err != nil {
		return err
	}
	work, err := os.MkdirTemp("", "verdict-bench-ci-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	return o.measure(ctx, w, work)
}

// measure makes the trees and the facts, then compares tree by tree.
func (o options) measure(ctx context.Context, w io.Writer, work string) error {
	program, err := filepath.Abs(o.verdict)
	if err != nil {
		return err
	}
	c, db := candidate{program, filepath.Join(work, "verdict")}, database{filepath.Join(work, "advisories")}
	if err := os.MkdirAll(c.home, 0o755); err != nil {
		return err
	}
	ecosystems, missing, err := db.fill(o.corpora)
	if err != nil {
		return err
	}
	for _, e := range ecosystems {
		if _, err := c.do(ctx, c.home, "advisories", "import", db.archive(e), "--name", e, "--covers", e); err != nil {
			return err
		}
	}
	fmt.Fprintf(w, "advisories of both: %s\n", strings.Join(ecosystems, ", "))
	all, err := peers(o.tools, o.pins, db)
	if err != nil {
		return err
	}
	if len(missing) > 0 { // osv-scanner ends with an error where a database is missing
		why := fmt.Sprintf("no published advisories for %s; set VERDICT_CORPORA", strings.Join(missing, ", "))
		fmt.Fprintln(w, why)
		i := slices.IndexFunc(all, func(p peer) bool { return p.kind == vulnerabilities })
		all[i].needs = why
	}
	trees, err := o.trees(ctx, work)
	if err != nil {
		return err
	}
	var open []string
	for _, t := range trees {
		r, err := side(ctx, c, all, t, filepath.Join(work, "peers"))
		if err != nil {
			return err
		}
		r.costs(w)
		r.quality(w)
		open = append(open, r.unexplained()...)
	}
	fmt.Fprintln(w, "\n== verdict alone")
	for _, f := range quick(ctx, c, trees[1].dir, work) {
		fmt.Fprintln(w, f)
	}
	if len(open) > 0 {
		return fmt.Errorf("unexplained losses:\n%s", lines(open))
	}
	return ctx.Err()
}

// tree is one of those that are compared on.
type tree struct{ name, dir string }

// trees are our own repository as a clean clone, the monorepo, and the one that was named.
func (o options) trees(ctx context.Context, work string) ([]tree, error) {
	own, mono := filepath.Join(work, "own"), filepath.Join(work, "monorepo")
	here, err := filepath.Abs(".")
	if err != nil {
		return nil, err
	}
	if err := git(ctx, here, work, "clone", "-q", "--no-hardlinks", here, own); err != nil {
		return nil, err
	}
	if err := generate(mono, monorepo); err != nil {
		return nil, err
	}
	if err := commit(ctx, mono, work); err != nil {
		return nil, err
	}
	out := []tree{{"our own repository", own}, {"a generated monorepo", mono}}
	if o.tree != "" {
		named, err := filepath.Abs(o.tree)
		if err != nil {
			return nil, err
		}
		out = append(out, tree{o.tree, named})
	}
	return out, nil
}

// side runs verdict and each peer in turn on a tree.
func side(ctx context.Context, c candidate, all []peer, t tree, home string) (result, error) {
	r := result{tree: t.name}
	if err := os.MkdirAll(home, 0o755); err != nil {
		return r, err
	}
	var err error
	if r.files, err = count(t.dir); err != nil {
		return r, err
	}
	var runs []usage
	var mine ours
	for _, p := range all {
		u, found, err := c.check(ctx, t.dir)
		if err != nil {
			return r, err
		}
		runs, mine = append(runs, u), found
		x := row{peer: p.name}
		var theirs []finding
		if x.usage, theirs, err = p.run(ctx, place{t.dir, filepath.Join(home, "report.json"), home}); err != nil {
			x.why = err.Error()
		} else if have, checked := mine[p.kind]; !checked {
			x.open = "verdict ci has no such check"
		} else {
			d := compare(p.kind, have, theirs, known)
			x.diff = &d
		}
		r.rows = append(r.rows, x)
	}
	slices.SortFunc(runs, func(a, b usage) int { return int(a.CPU - b.CPU) })
	r.verdict = runs[len(runs)/2]
	for _, u := range runs {
		r.verdict.Memory = max(r.verdict.Memory, u.Memory)
	}
	return r, nil
}

// count says how many files a tree has, without git's own.
func count(dir string) (n int, err error) {
	err = filepath.WalkDir(dir, func(_ string, d os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && d.Name() == ".git":
			return filepath.SkipDir
		case d.Type().IsRegular():
			n++
		}
		return nil
	})
	return n, err
}

func git(ctx context.Context, dir, home string, args ...string) error {
	_, exit, said, err := spend(ctx, dir, alone(home), "git", args...)
	if err == nil && exit != 0 {
		err = errors.New(string(said))
	}
	if err != nil {
		return fmt.Errorf("git %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// commit makes a folder a repository with all of its files in one commit on main.
func commit(ctx context.Context, dir, home string) error {
	for _, args := range [][]string{{"init", "-q", "-b", "main"}, {"add", "-A"}, {"commit", "-q", "-m", "tree"}} {
		if err := git(ctx, dir, home, args...); err != nil {
			return err
		}
	}
	return nil
}
