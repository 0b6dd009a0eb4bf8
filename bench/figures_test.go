package main

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// A figure that is read wrongly makes a promise look kept.
func TestFiguresAreReadFromGoTest(t *testing.T) {
	f := figures{}
	f.read("ledger", `goos: linux
BenchmarkAppend/sqlite/128_writers-2         	   10000	    213000 ns/op	      4694 appends/s	    1024 B/op	      12 allocs/op
BenchmarkProof-2   	 1000000	      1042 ns/op
PASS
`)
	for key, want := range map[string]float64{
		"ledger Append/sqlite/128_writers appends/s": 4694,
		"ledger Append/sqlite/128_writers allocs/op": 12,
		"ledger Proof ns/op":                         1042,
	} {
		if f[key] != want {
			t.Errorf("%s: %v, want %v in %v", key, f[key], want, f)
		}
	}
}

func TestTheTableTellsMetFromMissedFromUnknown(t *testing.T) {
	f := figures{"a A x/s": 4000, "b B ns/op": 2e6}
	got := table([]promise{
		{what: "enough", figure: "a A x/s", scale: 1, unit: "/s", least: 4000},
		{what: "too little", figure: "a A x/s", scale: 1, unit: "/s", least: 4001},
		{what: "at the limit", figure: "b B ns/op", scale: 1e-6, unit: "ms", most: 2},
		{what: "nobody promised", figure: "a A x/s", scale: 1, unit: "/s"},
		{what: "nobody knows", figure: "c C ns/op", scale: 1, unit: "ms", most: 2},
	}, f)
	for _, want := range []string{"enough 4,000 /s ≥ 4,000 /s met", "too little 4,000 /s ≥ 4,001 /s MISSED", "at the limit 2 ms < 2 ms MISSED", "nobody promised 4,000 /s - nobody knows not measured < 2 ms UNKNOWN", "1 of 4 met"} {
		if !strings.Contains(strings.Join(strings.Fields(got), " "), want) {
			t.Errorf("no %q in\n%s", want, got)
		}
	}
}

// A promise about a room that no figure is read under would stay unknown for ever.
func TestEachPromiseIsAboutARoomThatIsMeasured(t *testing.T) {
	for _, p := range promises {
		of, _, _ := strings.Cut(p.figure, " ")
		if !slices.ContainsFunc(rooms, func(r room) bool { return filepath.Base(r.name) == of }) {
			t.Errorf("%s: no room is called %s", p.what, of)
		}
	}
}
