package store

import (
	"context"

	"verdict"
)

// Copier is an engine that can write its database as it is at one moment into a new file
// while others write. SQLite can; PostgreSQL has programs of its own for it.
type Copier interface {
	// Copy writes to path, which is not there yet. The file is complete and synced when
	// Copy returns without error.
	Copy(ctx context.Context, path string) error
}

// Copy writes the whole database, as it is at one moment, to a file that is not there yet.
// The file is complete and synced when Copy returns without error.
func (s *Store) Copy(ctx context.Context, path string) error {
	c, can := s.engine.(Copier)
	if !can {
		return &verdict.Error{
			Code: verdict.CodeUsage, What: "a ledger on PostgreSQL is saved by PostgreSQL's own programs",
			Remedy: "run pg_dump --format=custom --file=ledger.dump with the address of the database, and save the blobs and the keys beside it; docs/operations.md has the steps",
		}
	}
	return c.Copy(ctx, path)
}
