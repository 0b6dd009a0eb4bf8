package ledger

import (
	"errors"
	"os"
	"path/filepath"
)

// Hold keeps other processes that hold the file at path waiting until free is called. The
// file is made where there is none, and says nothing. The system frees it when the process dies.
func Hold(path string) (free func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	unlock, err := lockFile(f)
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { release(f, unlock) }, nil
}

// release ends a lock and closes its file, into which nothing was written.
func release(f *os.File, unlock func()) {
	unlock()
	_ = f.Close()
}
