package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// peer is one program that verdict ci replaces, as one step of a pipeline runs it.
type peer struct {
	name, tool, kind string
	needs            string // why its findings or its cost say nothing; empty when all is there
	program          string
	args             func(p place) []string
	env              []string
	fine             func(exit int) bool
	parse            func(data []byte, root string) ([]finding, error)
}

// place is where a peer reads and writes.
type place struct{ tree, report, home string }

// peers are all of them, the ones that cannot be run too: those say why.
func peers(tools, pins string, db database) ([]peer, error) {
	text, err := os.ReadFile(pins)
	if err != nil {
		return nil, err
	}
	where := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) == 4 {
			where[f[0]] = filepath.Join(tools, f[0]+"-"+f[1])
		}
	}
	zero := func(exit int) bool { return exit == 0 }
	all := []peer{
		{name: "gitleaks", tool: "gitleaks", kind: secrets, fine: zero, parse: parseGitleaks, args: func(p place) []string { // not redacted: which secrets are the same is read from it, and it lies in a private folder for seconds
			return []string{"dir", p.tree, "--report-format", "json", "--report-path", p.report, "--exit-code", "0", "--no-banner", "--log-level", "error"}
		}},
		{name: "osv-scanner", tool: "osv-scanner", kind: vulnerabilities, parse: parseOSV, fine: func(exit int) bool { return exit < 2 }, args: func(p place) []string {
			return []string{"scan", "source", "--recursive", "--no-call-analysis=all", "--offline", "--local-db-path", db.dir, "--format", "json", "--output-file", p.report, p.tree}
		}},
		{name: "trivy misconfig", tool: "trivy", kind: misconfigurations, fine: zero, parse: parseTrivy, args: func(p place) []string {
			return []string{"fs", p.tree, "--scanners", "misconfig", "--cache-dir", filepath.Join(p.home, "trivy"), "--skip-check-update", "--offline-scan", "--quiet", "--format", "json", "--output", p.report}
		}},
		{name: "trivy SBOM", tool: "trivy", kind: components, fine: zero, parse: func(data []byte, _ string) ([]finding, error) { return parseBill(data) }, args: func(p place) []string {
			return []string{"fs", p.tree, "--cache-dir", filepath.Join(p.home, "trivy"), "--offline-scan", "--quiet", "--format", "cyclonedx", "--output", p.report}
		}},
	}
	for i := range all {
		dir := where[all[i].tool]
		all[i].program = filepath.Join(dir, all[i].tool)
		if _, err := os.Stat(all[i].program); err != nil {
			all[i].needs = "it could not be built, see " + filepath.Join(dir, "build.log")
		}
	}
	return all, nil
}

// run measures the peer on a tree and reads what it found.
func (p peer) run(ctx context.Context, at place) (usage, []finding, error) {
	if p.needs != "" {
		return usage{}, nil, fmt.Errorf("%s", p.needs)
	}
	u, exit, said, err := spend(ctx, at.home, append(alone(at.home), p.env...), p.program, p.args(at)...)
	if err != nil {
		return u, nil, err
	}
	if !p.fine(exit) {
		return u, nil, fmt.Errorf("exit %d: %s", exit, lastLine(said))
	}
	data, err := os.ReadFile(at.report)
	err = errors.Join(err, os.Remove(at.report))
	if err != nil {
		return u, nil, fmt.Errorf("it wrote no report: %w", err)
	}
	found, err := p.parse(data, at.tree)
	return u, found, err
}

func lastLine(said []byte) string {
	lines := strings.Split(strings.TrimSpace(string(said)), "\n")
	return lines[len(lines)-1]
}

// candidate is verdict with a home of its own, in which advisories were imported.
type candidate struct{ program, home string }

func (c candidate) do(ctx context.Context, dir string, args ...string) (usage, error) {
	u, exit, said, err := spend(ctx, dir, alone(c.home), c.program, args...)
	if err == nil && exit != 0 {
		err = fmt.Errorf("verdict %s: exit %d: %s", strings.Join(args, " "), exit, said)
	}
	return u, err
}

// check is the whole of verdict ci on a tree: what all peers together do, and the rest.
func (c candidate) check(ctx context.Context, tree string) (usage, ours, error) {
	answer, bill := filepath.Join(c.home, "answer.json"), filepath.Join(c.home, "bill.json")
	u, err := c.do(ctx, c.home, "ci", tree, "--report-only", "-o", "json="+answer, "-o", "cyclonedx="+bill)
	if err != nil {
		return u, nil, err
	}
	data, err := os.ReadFile(answer)
	if err != nil {
		return u, nil, err
	}
	found, err := parseVerdict(data)
	if err != nil {
		return u, nil, err
	}
	if data, err = os.ReadFile(bill); err == nil {
		found[components], err = parseBill(data)
	}
	return u, found, err
}
