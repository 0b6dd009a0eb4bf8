package cluster

import (
	"os/exec"
	"syscall"
)

// dieWithUs leaves no server behind when the test is killed.
func dieWithUs(c *exec.Cmd) { c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
