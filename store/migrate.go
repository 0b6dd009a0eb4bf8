package store

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrations holds the steps of the schema, forward only: a column is never renamed or
// dropped by a version that an older one may still run beside.
//
//go:embed migrations/*.sql
var migrations embed.FS

// Migrate runs the steps that db lacks. Engines call it, with their own lock held where
// several processes may open one database at once.
func Migrate(ctx context.Context, dialect goose.Dialect, db *sql.DB) error {
	steps, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	p, err := goose.NewProvider(dialect, db, steps, goose.WithTableName("schema_version"), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("migrations: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate the database: %w", err)
	}
	return nil
}
