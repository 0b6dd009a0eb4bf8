package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/pressly/goose/v3"
)

// migrations holds the steps of the schema, forward only: a column is never renamed or
// dropped by a version that an older one may still run beside.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Migrate runs the steps that db lacks. Engines call it. Several processes may do so at
// once: who finds that another one was quicker looks whether anything is left to do.
func Migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, steps, goose.WithTableName("schema_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	for range migrateTries {
		pending, look := p.HasPending(ctx)
		if look == nil && !pending {
			return nil
		}
		if _, err = p.Up(ctx); err == nil {
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return fmt.Errorf("migrate the database: %w", err)
}

// migrateTries is how often a step is tried that another process may be doing.
const migrateTries = 20
