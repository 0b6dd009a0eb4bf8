//go:build unix

package ci

import (
	"os/exec"
	"syscall"
)

// group puts a program and all that it starts into a group of its own, which is ended as
// one: a tool that hangs often waits for a child.
func group(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
