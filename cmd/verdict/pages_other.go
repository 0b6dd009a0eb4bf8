//go:build !linux

package main

import "runtime/debug"

// settle gives back what only the start of a server needed.
func settle() { debug.FreeOSMemory() }
