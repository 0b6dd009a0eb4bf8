package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Who installs the chart has pods that start: what it passes to serve are flags of serve.
func TestTheChartPassesFlagsThatThereAre(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "helm", "verdict", "templates", "workload.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	serve, _, err := wholeRoot().Find([]string{"serve"})
	if err != nil {
		t.Fatal(err)
	}
	passed := regexp.MustCompile(`(?m)^ +- .*?--([a-z-]+)=`).FindAllSubmatch(text, -1)
	for _, m := range passed {
		if name := string(m[1]); serve.Flags().Lookup(name) == nil && serve.InheritedFlags().Lookup(name) == nil {
			t.Errorf("the chart passes --%s, which verdict serve does not take", name)
		}
	}
	if len(passed) < 10 {
		t.Errorf("only %d flags were found", len(passed))
	}
}

// Who installs the unit has a service that starts, without a directive that systemd ignores,
// and that can do to its machine no more than it needs to.
func TestTheUnitIsTakenBySystemd(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skip("SKIP systemd: no systemd-analyze (Debian package systemd)")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "deploy", "systemd", "verdict.service"))
	if err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	unit := filepath.Join(t.TempDir(), "verdict.service")
	installed := strings.Replace(string(text), "ExecStart=/usr/local/bin/verdict ", "ExecStart="+self+" ", 1)
	if installed == string(text) {
		t.Fatal("the unit starts something other than /usr/local/bin/verdict")
	}
	_, line, _ := strings.Cut(string(text), "ExecStart=/usr/local/bin/verdict ")
	line, _, _ = strings.Cut(line, "\n")
	if cmd, words, err := wholeRoot().Find(strings.Fields(line)); err != nil || cmd.Name() != "serve" || cmd.ParseFlags(words) != nil {
		t.Errorf("verdict %s is no command that serves: %v", line, err)
	}
	// The page about it is installed with it.
	installed = strings.Replace(installed, "Documentation=", "#", 1)
	if err := os.WriteFile(unit, []byte(installed), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(analyze, "verify", unit).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	// 1.5 of 10; a service without any of this has 9.6.
	if out, err := exec.Command(analyze, "security", "--offline=true", "--threshold=15", unit).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
