//go:build unix && !linux

package storetest

import "syscall"

// dieWithParent does nothing: this system has no such wish.
func dieWithParent(*syscall.SysProcAttr) {}
