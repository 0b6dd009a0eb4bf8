package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"
)

// thisMachine says on what the figures were measured, and what else ran meanwhile.
func thisMachine() string {
	return fmt.Sprintf("machine: %s, %d cores, %s memory, %s/%s, %s, load %s",
		field("/proc/cpuinfo", `(?m)^model name\s*: (.*)$`), runtime.NumCPU(), field("/proc/meminfo", `(?m)^MemTotal:\s*(.*)$`),
		runtime.GOOS, runtime.GOARCH, runtime.Version(), field("/proc/loadavg", `^(\S+ \S+ \S+)`))
}

func field(file, expression string) string {
	data, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	m := regexp.MustCompile(expression).FindStringSubmatch(string(data))
	if m == nil {
		return "unknown"
	}
	return strings.TrimSpace(m[1])
}
