package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// result is what was measured on one tree.
type result struct {
	tree    string
	files   int
	verdict usage // the median of its runs by CPU
	rows    []row
}

// row is one peer on one tree.
type row struct {
	peer  string
	usage usage
	why   string // not measured, and why; empty where it was
	diff  *difference
	open  string // not compared, and why
}

const (
	manyFiles = 300 // from here on the goal about CPU holds
	mostCPU   = 0.5
	aimCPU    = 0.25
)

// costs writes what each program cost, and verdict against the goals.
func (r result) costs(w io.Writer) {
	fmt.Fprintf(w, "\n== %s (%d files)\n", r.tree, r.files)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "program\tCPU s\twall s\tpeak MB\t")
	var cpu, wall time.Duration
	var memory int64
	measured := 0
	for _, p := range r.rows {
		if p.why != "" {
			fmt.Fprintf(t, "%s\tnot measured\t\t\t\n", p.peer)
			continue
		}
		measured++
		line(t, p.peer, p.usage)
		cpu, wall, memory = cpu+p.usage.CPU, max(wall, p.usage.Wall), max(memory, p.usage.Memory)
	}
	line(t, "verdict ci", r.verdict)
	t.Flush()
	for _, p := range r.rows {
		if p.why != "" {
			fmt.Fprintf(w, "%s: not measured: %s\n", p.peer, p.why)
		}
	}
	of := ""
	if measured < len(r.rows) {
		of = fmt.Sprintf(" (of %d of %d peers only)", measured, len(r.rows))
	}
	if measured == 0 {
		fmt.Fprintln(w, "no ratio is known")
		return
	}
	share := float64(r.verdict.CPU) / float64(cpu)
	fmt.Fprintf(w, "CPU against the sum of the peers%s: %.2f  %s\n", of, share, cpuWord(share, r.files))
	fmt.Fprintf(w, "wall against the slowest peer%s: %.2f  %s\n", of, float64(r.verdict.Wall)/float64(wall), word(r.verdict.Wall < wall))
	if memory == 0 || r.verdict.Memory == 0 {
		fmt.Fprintln(w, "memory: not measured on this system")
		return
	}
	fmt.Fprintf(w, "memory against the largest peer%s: %.2f  %s\n", of, float64(r.verdict.Memory)/float64(memory), word(r.verdict.Memory < memory))
}

func line(w io.Writer, name string, u usage) {
	fmt.Fprintf(w, "%s\t%.2f\t%.2f\t%.0f\t\n", name, u.CPU.Seconds(), u.Wall.Seconds(), float64(u.Memory)/1e6)
}

func cpuWord(share float64, files int) string {
	switch {
	case files <= manyFiles:
		return fmt.Sprintf("no goal below %d files", manyFiles)
	case share <= aimCPU:
		return "met, and the aim of 1/4"
	case share <= mostCPU:
		return "met (at most 1/2), not the aim of 1/4"
	}
	return "MISSED (at most 1/2)"
}

func word(met bool) string {
	if met {
		return "met"
	}
	return "MISSED"
}

const shown = 5 // findings of an unexplained difference

// quality writes how the findings differ, class by class.
func (r result) quality(w io.Writer) {
	fmt.Fprintf(w, "\nfindings on %s\n", r.tree)
	for _, p := range r.rows {
		if p.diff == nil {
			fmt.Fprintf(w, "  %s: not measured: %s\n", p.peer, p.why+p.open)
			continue
		}
		fmt.Fprintf(w, "  %s (%s): both %d\n", p.peer, p.diff.kind, p.diff.common)
		for _, side := range []string{lost, extra} {
			for _, name := range slices.Sorted(maps.Keys(p.diff.known[side])) {
				fmt.Fprintf(w, "    %s: %d of the class %q\n", side, len(p.diff.known[side][name]), name)
			}
			open := p.diff.open[side]
			if len(open) == 0 {
				continue
			}
			fmt.Fprintf(w, "    %s: %d UNEXPLAINED\n", side, len(open))
			for _, f := range open[:min(shown, len(open))] {
				fmt.Fprintf(w, "      %s\n", f)
			}
			if more := len(open) - shown; more > 0 {
				fmt.Fprintf(w, "      and %d more\n", more)
			}
		}
	}
}

// unexplained names the kinds of which the peer has something that verdict has not, for
// no known reason, where that is not allowed.
func (r result) unexplained() []string {
	var out []string
	for _, p := range r.rows {
		if p.diff != nil && p.diff.unexplained() {
			out = append(out, fmt.Sprintf("%s on %s: %d", p.diff.kind, r.tree, len(p.diff.open[lost])))
		}
	}
	return out
}

// lines joins what is to be told under each other.
func lines(all []string) string { return "  " + strings.Join(all, "\n  ") }
