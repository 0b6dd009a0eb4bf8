package ledger

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockFile keeps other processes from writing the file until unlock is called.
func lockFile(f *os.File) (unlock func(), err error) {
	// Windows locks are mandatory: a range far behind the end keeps readers free.
	where := windows.Overlapped{OffsetHigh: 1}
	h := windows.Handle(f.Fd())
	if err := windows.LockFileEx(h, windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &where); err != nil {
		return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return func() { windows.UnlockFileEx(h, 0, 1, 0, &where) }, nil
}
