//go:build unix && !linux

package cluster

import "os/exec"

func dieWithUs(*exec.Cmd) {}
