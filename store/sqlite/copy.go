package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// Copy writes the database as it is now into a new file, in one read transaction: whoever
// writes meanwhile is neither waited for nor held up. Only the user may read the file.
func (e *Engine) Copy(ctx context.Context, path string) error {
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		return errors.Join(fmt.Errorf("copy the database: %s is there already", path), err)
	}
	db := open(e.path, fmt.Sprintf("busy_timeout(%d)", patience.Milliseconds()), "temp_store(MEMORY)")
	defer db.Close()
	if err := create(path); err != nil { // with our mode; SQLite takes an empty file as none
		return err
	}
	_, err := db.ExecContext(ctx, "VACUUM INTO $1", path)
	if err == nil {
		err = syncFile(path)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("copy the database: %w", explain(path, err)), os.Remove(path))
	}
	return nil
}

// syncFile makes what SQLite wrote to a file survive a crash: it does not sync a copy.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
