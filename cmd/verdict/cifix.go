package main

import (
	"context"

	"verdict/ci"
	"verdict/report"
)

// mend writes into the working copy what is safe to write, after the tree was judged and
// recorded as it was.
func (w *workspace) mend(ctx context.Context, r *ci.Result, dir string) (*report.Mended, error) {
	if r.Repo != nil {
		dir = r.Repo.Dir
	}
	known, err := tables(w.dir)
	if err != nil {
		return nil, err
	}
	index, err := w.advisories()
	if err != nil {
		return nil, err
	}
	var matcher ci.Matcher
	if index != nil {
		defer index.Close()
		matcher = index
	}
	edits, left, err := r.Fixes(matcher, known.pins, func(p string) ([]byte, error) { return r.ReadWalked(dir, p) })
	if err != nil {
		return nil, err
	}
	changes, err := r.Mend(ctx, dir, edits)
	if err != nil {
		return nil, err
	}
	m := &report.Mended{Diff: string(changes)}
	for _, e := range edits {
		m.Edits = append(m.Edits, report.Edit{Path: e.Path, Line: e.Line, Why: e.Why})
	}
	for _, l := range left {
		m.Left = append(m.Left, report.Left{Path: l.Path, Line: l.Line, Why: l.Why})
	}
	return m, nil
}
