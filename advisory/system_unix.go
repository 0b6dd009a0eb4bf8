//go:build unix

package advisory

import (
	"errors"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

const (
	unblocked  = unix.O_NONBLOCK // opens without waiting for the other end of a FIFO
	unfollowed = unix.O_NOFOLLOW // does not follow a link
)

// hold locks a file without waiting. It is false when somebody else has it.
func hold(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return false, nil
	}
	return err == nil, err
}

// release ends the lock and closes the file, into which nothing was written.
func release(f *os.File) { f.Close() }

// full reports that an error is one of room.
func full(err error) bool {
	return errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) || errors.Is(err, unix.EFBIG)
}

// mapped gives the bytes of a file without reading them yet.
func mapped(f *os.File, size int64) ([]byte, error) {
	return unix.Mmap(int(f.Fd()), 0, int(size), unix.PROT_READ, unix.MAP_SHARED)
}

func unmapped(b []byte) error { return unix.Munmap(b) }

// syncFolder makes the name of a file survive a crash.
func syncFolder(path string) error {
	d, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
