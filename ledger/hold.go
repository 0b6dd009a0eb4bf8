package ledger

import (
	"errors"
	"os"
	"path/filepath"
)

// Hold keeps other processes that hold the file at path waiting until release is called. The
// file is made where there is none, and says nothing. The system frees it when the process dies.
func Hold(path string) (release func(), err error) {
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
	return func() {
		unlock()
		_ = f.Close() // nothing was written into it
	}, nil
}
