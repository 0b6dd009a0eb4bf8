package main

import (
	"context"
	"path/filepath"

	"verdict"
	"verdict/store/sqlite"
)

// alone refuses a second server on one embedded ledger: each would have caches, admission and
// chores of its own, and one would not hear at once what the other takes away. On PostgreSQL
// any number are replicas.
func (w *workspace) alone(ctx context.Context) (release func() error, err error) {
	if w.app.config.Database != "" {
		return func() error { return nil }, nil
	}
	release, err = sqlite.Serving(ctx, filepath.Join(w.dir, ledgerFile))
	if err == nil && release == nil {
		err = &verdict.Error{
			Code: verdict.CodeConflict, What: "another verdict serve has the ledger in " + w.dir,
			Remedy: "stop that one first, or name another directory with --data; several servers share a ledger on PostgreSQL: verdict store migrate --to env:NAME, then verdict serve --database env:NAME",
		}
	}
	return release, err
}
