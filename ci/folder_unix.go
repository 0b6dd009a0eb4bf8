//go:build unix

package ci

import "syscall"

// unblocked opens without waiting for the other end of a FIFO, without following a
// link, and without making a terminal ours.
const unblocked = syscall.O_NONBLOCK | syscall.O_NOFOLLOW | syscall.O_NOCTTY
