//go:build !windows

package evidence

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// private reports that nobody may read a file but who should: the mode says who may.
func private(info fs.FileInfo) bool {
	owner := -1
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		owner = int(s.Uid)
	}
	return privateTo(os.Geteuid(), owner, info.Mode().Perm())
}

// privateTo is the rule of PostgreSQL for its keys: the owner alone, and for a process that
// is not root also a group of a file that is root's. So orchestrators hand out secrets to a
// process without rights, and root reads everything anyway.
func privateTo(self, owner int, mode fs.FileMode) bool {
	if owner == 0 && self != 0 {
		return mode&0o037 == 0
	}
	return mode&0o077 == 0
}

// syncFolder makes the name of a key survive a crash.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("sync folder %s: %w", dir, err)
	}
	return errors.Join(d.Sync(), d.Close())
}
