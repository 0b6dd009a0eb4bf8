package dir

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// unblocked: no name in a folder leads to a pipe.
const unblocked = 0

// hold locks a file without waiting. It is false when somebody else has it. The lock is
// one of the open file, so that it also holds between goroutines.
func hold(f *os.File, exclusive bool) (bool, error) {
	how := uint32(windows.LOCKFILE_FAIL_IMMEDIATELY)
	if exclusive {
		how |= windows.LOCKFILE_EXCLUSIVE_LOCK
	}
	err := windows.LockFileEx(windows.Handle(f.Fd()), how, 0, 1, 0, &windows.Overlapped{})
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return false, nil
	}
	return err == nil, err
}

// release ends the lock and closes the file, into which nothing was written. The system
// frees a lock with its file, but not at once.
func release(f *os.File) {
	windows.UnlockFileEx(windows.Handle(f.Fd()), 0, 1, 0, &windows.Overlapped{})
	f.Close()
}

// full reports that an error is one of room.
func full(err error) bool {
	return errors.Is(err, windows.ERROR_DISK_FULL) || errors.Is(err, windows.ERROR_HANDLE_DISK_FULL) || errors.Is(err, windows.ERROR_DISK_QUOTA_EXCEEDED)
}

// syncFolder does nothing: Windows syncs files and no folders. NTFS keeps the order of its
// names in a journal: after a power cut the latest names may be gone, and none is wrong.
func syncFolder(*os.Root, string) error { return nil }
