package ledger

import (
	"os"

	"golang.org/x/sys/windows"
)

// lockOffset is far behind the end of an anchor: a lock on Windows keeps others from
// reading what it covers, and an anchor is read without one.
const lockOffset = 1 << 30

// lockFile keeps other processes from writing the file until unlock is called.
func lockFile(f *os.File) (unlock func(), err error) {
	place := windows.Overlapped{Offset: lockOffset}
	h := windows.Handle(f.Fd())
	if err := windows.LockFileEx(h, windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &place); err != nil {
		return nil, &os.PathError{Op: "lock", Path: f.Name(), Err: err}
	}
	return func() { windows.UnlockFileEx(h, 0, 1, 0, &windows.Overlapped{Offset: lockOffset}) }, nil
}

// syncFolder does nothing: Windows syncs files and no folders. NTFS keeps the order of its
// names in a journal: after a power cut the latest names may be gone, and none is wrong.
func syncFolder(string) error { return nil }
