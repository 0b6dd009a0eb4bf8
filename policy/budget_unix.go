//go:build unix

package policy

import (
	"syscall"
	"time"
)

// processTime is the processor time that the process has used, and false where the system
// does not tell it.
func processTime() (time.Duration, bool) {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0, false
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()), true
}
