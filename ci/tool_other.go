//go:build !unix

package ci

import "os/exec"

// group is for systems with process groups; elsewhere the program alone is ended.
func group(*exec.Cmd) {}
