package sqlite

import (
	"context"
	"errors"

	code "modernc.org/sqlite/lib"
)

// Serving takes the place of the one process that serves the database at path. Commands go on
// beside it, and whoever holds the place loses it when the process ends, however that ends.
// release is nil where another one has it. The place is a lock on a file of its own: one on the
// database would keep commands out.
func Serving(ctx context.Context, path string) (release func() error, err error) {
	db := open(path + ".serving")
	c, err := db.Conn(ctx)
	if err == nil {
		_, err = c.ExecContext(ctx, "BEGIN EXCLUSIVE")
	}
	if kind(err) == code.SQLITE_BUSY {
		return nil, errors.Join(c.Close(), db.Close())
	}
	if err != nil {
		return nil, errors.Join(explain(path+".serving", err), db.Close())
	}
	return func() error { return errors.Join(c.Close(), db.Close()) }, nil
}
