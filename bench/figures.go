package main

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
)

// figures are measured values by "room Benchmark unit".
type figures map[string]float64

func (f figures) set(room, name, unit string, value float64) { f[room+" "+name+" "+unit] = value }

var (
	benchmarkLine = regexp.MustCompile(`(?m)^Benchmark(\S+?)(?:-\d+)?\s+\d+\s+(.*)$`)
	measurement   = regexp.MustCompile(`(\S+) (\S+)`)
)

// read takes the figures out of what go test -bench prints: name, count, then pairs of
// value and unit.
func (f figures) read(room, output string) {
	for _, line := range benchmarkLine.FindAllStringSubmatch(output, -1) {
		for _, m := range measurement.FindAllStringSubmatch(strings.Join(strings.Fields(line[2]), " "), -1) {
			if v, err := strconv.ParseFloat(m[1], 64); err == nil {
				f.set(room, line[1], m[2], v)
			}
		}
	}
}

// promise is one figure that the project wants to reach.
type promise struct {
	what   string
	figure string  // a key of figures
	scale  float64 // from the figure's unit to unit
	unit   string
	least  float64 // at least this much, where above 0
	most   float64 // less than this much, where above 0
	// Where both are 0 nothing was promised, and the figure is there to be watched.
}

// met reports whether the figure was reached; false too when it was not measured.
func (p promise) met(f figures) (value float64, met, measured bool) {
	v, measured := f[p.figure]
	v *= p.scale
	return v, measured && (p.least == 0 || v >= p.least) && (p.most == 0 || v < p.most), measured
}

// free reports whether nothing was promised.
func (p promise) free() bool { return p.least == 0 && p.most == 0 }

func (p promise) reach() string {
	if p.free() {
		return "-"
	}
	if p.least > 0 {
		return "≥ " + amount(p.least, p.unit)
	}
	return "< " + amount(p.most, p.unit)
}

// table is the promises with what was measured, one line each.
func table(promises []promise, f figures) string {
	var out strings.Builder
	w := tabwriter.NewWriter(&out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "what\tfigure\treach\t")
	reached, promised := 0, 0
	for _, p := range promises {
		value, met, measured := p.met(f)
		figure, word := "not measured", "UNKNOWN"
		if measured {
			figure, word = amount(value, p.unit), "MISSED"
		}
		if measured && p.free() {
			word = ""
		} else if met {
			word = "met"
			reached++
		}
		if !p.free() {
			promised++
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", p.what, figure, p.reach(), word)
	}
	w.Flush()
	fmt.Fprintf(&out, "%d of %d met\n", reached, promised)
	return out.String()
}

// amount writes a figure with three digits that count, and thousands apart.
func amount(v float64, unit string) string {
	text := strconv.FormatFloat(v, 'f', 0, 64)
	if v < 100 {
		text = strconv.FormatFloat(v, 'g', 3, 64)
	}
	for i := len(text) - 3; i > 0 && v >= 100; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text + " " + unit
}
