package storetest

import "syscall"

// dieWithParent ends a program when the thread that started it ends: a test process that
// is killed, or that panics, leaves no server behind.
func dieWithParent(a *syscall.SysProcAttr) { a.Pdeathsig = syscall.SIGQUIT }
