package advisory

import (
	"errors"
	"io"
	"os"

	"golang.org/x/sys/windows"
)

const (
	unblocked  = 0 // no name in a folder leads to a pipe
	unfollowed = 0 // a link needs a right that few users have
)

// hold locks a file without waiting. It is false when somebody else has it.
func hold(f *os.File) (bool, error) {
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_FAIL_IMMEDIATELY|windows.LOCKFILE_EXCLUSIVE_LOCK, 0, 1, 0, &windows.Overlapped{})
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

// mapped reads the file: one that is mapped could not be replaced by the next import.
func mapped(f *os.File, size int64) ([]byte, error) {
	b := make([]byte, size)
	_, err := io.ReadFull(f, b)
	return b, err
}

func unmapped([]byte) error { return nil }

// syncFolder does nothing: Windows syncs files and no folders.
func syncFolder(string) error { return nil }
