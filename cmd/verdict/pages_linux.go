package main

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strings"

	"golang.org/x/sys/unix"
)

// settle gives back what only the start of a server needed: the heap's free pages, and the
// pages of the program itself, most of which were read for the tables of libraries that are
// begun and not used again. What is needed later is read from the file once more, a page at
// a time. Without it an idle server holds three times what it works with.
func settle() {
	debug.FreeOSMemory()
	program, err := os.Executable()
	if err != nil {
		return
	}
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		return
	}
	for _, m := range readOnly(maps, program) {
		// Advice: where it is not taken, the pages stay.
		_, _, _ = unix.Syscall(unix.SYS_MADVISE, m.from, m.to-m.from, unix.MADV_DONTNEED)
	}
}

// stretch is a part of the address space.
type stretch struct{ from, to uintptr }

// readOnly are the mappings of a file in the form of /proc/PID/smaps that nobody can write to
// and nobody wrote to: what is dropped of them is read again as it was.
func readOnly(smaps []byte, file string) (out []stretch) {
	var at stretch
	candidate := false
	for lines := bufio.NewScanner(bytes.NewReader(smaps)); lines.Scan(); {
		line := lines.Text()
		var from, to uintptr
		var mode, name string
		var offset, inode uint64
		var device string
		if n, _ := fmt.Sscanf(line, "%x-%x %s %x %s %d %s", &from, &to, &mode, &offset, &device, &inode, &name); n == 7 {
			at = stretch{from, to}
			candidate = name == file && strings.HasPrefix(mode, "r") && !strings.Contains(mode, "w")
			continue
		}
		if candidate && strings.HasPrefix(line, "Anonymous:") {
			var kB int
			if n, _ := fmt.Sscanf(line, "Anonymous: %d kB", &kB); n == 1 && kB == 0 {
				out = append(out, at)
			}
			candidate = false
		}
	}
	return out
}
