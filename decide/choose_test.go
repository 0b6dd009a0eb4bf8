package decide

import (
	"slices"
	"testing"

	"verdict"
)

func TestWhichStatementCounts(t *testing.T) {
	s := func(index int64, rank int, fails bool) Stated {
		return Stated{Ref: verdict.Ref{Index: index}, Rank: rank, Fails: fails}
	}
	for name, tc := range map[string]struct {
		all   []Stated
		want  int64 // -1: none
		aside int
	}{
		"nothing was stated": {nil, -1, 0},
		"a statement without the right to it counts as absent":      {[]Stated{s(1, Untrusted, false)}, -1, 1},
		"the latest of one producer counts":                         {[]Stated{s(1, 0, false), s(5, 0, false)}, 5, 0},
		"the order in which they are handed in does not matter":     {[]Stated{s(5, 0, false), s(1, 0, true)}, 5, 0},
		"a newer fail replaces a pass, even from a weaker producer": {[]Stated{s(1, 0, false), s(5, 3, true)}, 5, 0},
		"a newer pass of a weaker producer does not wash a fail":    {[]Stated{s(1, 0, true), s(5, 1, false)}, 1, 0},
		"a newer pass of the same producer does":                    {[]Stated{s(1, 1, true), s(5, 1, false)}, 5, 0},
		"a newer pass of a stronger producer does":                  {[]Stated{s(1, 1, true), s(5, 0, false)}, 5, 0},
		"nor does a chain of weaker passes":                         {[]Stated{s(1, 0, true), s(5, 1, false), s(6, 2, false)}, 1, 0},
		"nor one that first failed it too":                          {[]Stated{s(1, 0, true), s(5, 1, true), s(6, 1, false)}, 1, 0},
		"one that took back its own fail stays open to a stronger":  {[]Stated{s(1, 0, true), s(5, 1, true), s(6, 0, false)}, 6, 0},
		"an untrusted pass after a fail changes nothing":            {[]Stated{s(1, 0, true), s(5, Untrusted, false)}, 1, 1},
		"an untrusted fail after a pass changes nothing":            {[]Stated{s(1, 0, false), s(5, Untrusted, true)}, 1, 1},
	} {
		t.Run(name, func(t *testing.T) {
			got, _, aside := choose(tc.all)
			index := int64(-1)
			if got != nil {
				index = got.Ref.Index
			}
			if index != tc.want || len(aside) != tc.aside {
				t.Fatalf("statement %d counts with %d aside, want %d with %d", index, len(aside), tc.want, tc.aside)
			}
		})
	}
	by := func(index int64, source string, primary, fails bool) Stated {
		return Stated{Ref: verdict.Ref{Index: index}, Rank: 1, Fails: fails, Primary: primary, Report: &verdict.Report{Source: source}}
	}
	for name, tc := range map[string]struct {
		all  []Stated
		want int64
	}{
		"a second tool's pass does not wash the first one's fail":  {[]Stated{by(1, "semgrep", true, true), by(2, "codeql", false, false)}, 1},
		"nor is a fail of the second passed over":                  {[]Stated{by(1, "semgrep", true, false), by(2, "codeql", false, true)}, 2},
		"the primary's later pass decides":                         {[]Stated{by(1, "codeql", false, true), by(2, "semgrep", true, false)}, 2},
		"the same tool's later pass does":                          {[]Stated{by(1, "codeql", false, true), by(2, "codeql", false, false)}, 2},
		"Verdict's own pass does not wash a tool's fail":           {[]Stated{by(1, "trivy", true, true), by(2, "", false, false)}, 1},
		"two tools without a primary each take back their own":     {[]Stated{by(1, "a", false, true), by(2, "b", false, true), by(3, "a", false, false), by(4, "b", false, false)}, 4},
		"a stronger producer decides, whichever tool it speaks of": {[]Stated{by(1, "semgrep", true, true), {Ref: verdict.Ref{Index: 2}, Rank: 0, Report: &verdict.Report{Source: "codeql"}}}, 2},
		"a weaker one does not, though its tool is the primary":    {[]Stated{by(1, "codeql", false, true), {Ref: verdict.Ref{Index: 2}, Rank: 2, Primary: true, Report: &verdict.Report{Source: "semgrep"}}}, 1},
	} {
		if got, _, _ := choose(tc.all); got.Ref.Index != tc.want {
			t.Errorf("%s: statement %d counts, want %d", name, got.Ref.Index, tc.want)
		}
	}
	unread := Stated{Ref: verdict.Ref{Index: 2}, Rank: 1, Unreadable: "pruned"}
	if got, _, _ := choose([]Stated{s(1, 0, true), unread, s(3, 1, false)}); got.Ref.Index != 1 {
		t.Fatal("a statement that nobody can read opened the way for a weaker pass over a fail")
	}
	unreadable := []Stated{s(1, 0, false), {Ref: verdict.Ref{Index: 2}, Rank: 0, Unreadable: "pruned"}}
	if got, _, _ := choose(unreadable); got.Ref.Index != 2 {
		t.Fatal("a newer statement whose body is gone was passed over for an older pass")
	}
}

// A second tool that finds something harmless must not hide what the first one found.
func TestFailsOfOtherToolsStandBesideTheOneThatCounts(t *testing.T) {
	s := func(index int64, rank int, source string, complete bool) Stated {
		return Stated{Ref: verdict.Ref{Index: index}, Rank: rank, Fails: true, Report: &verdict.Report{Source: source, Complete: complete}}
	}
	pass := func(index int64, source string) Stated {
		return Stated{Ref: verdict.Ref{Index: index}, Rank: 1, Report: &verdict.Report{Source: source, Complete: true}}
	}
	primary := s(2, 1, "a", true)
	primary.Primary = true
	for name, tc := range map[string]struct {
		all    []Stated
		counts int64
		others []int64
	}{
		"the fail of another tool":                         {[]Stated{s(1, 1, "a", true), s(2, 1, "b", true)}, 2, []int64{1}},
		"the newer fail of the same tool replaces its own": {[]Stated{s(1, 1, "a", true), s(2, 1, "a", true)}, 2, nil},
		"one that is incomplete replaces nothing":          {[]Stated{s(1, 1, "a", true), s(2, 1, "a", false)}, 2, []int64{1}},
		"nor does one that nobody can read":                {[]Stated{s(1, 1, "a", true), {Ref: verdict.Ref{Index: 2}, Rank: 1, Unreadable: "pruned"}}, 2, []int64{1}},
		"a weaker producer's beside a stronger one's":      {[]Stated{s(1, 0, "a", true), s(2, 1, "a", true)}, 2, []int64{1}},
		"a stronger producer's replaces it":                {[]Stated{s(1, 1, "a", true), s(2, 0, "b", true)}, 2, nil},
		"so does the primary's":                            {[]Stated{s(1, 1, "b", true), primary}, 2, nil},
		"a fail that was taken back does not stand":        {[]Stated{s(1, 1, "a", true), s(2, 1, "b", true), pass(3, "a")}, 2, nil},
		"an incomplete one before another tool's":          {[]Stated{s(1, 1, "a", false), s(2, 1, "b", true)}, 2, []int64{1}},
	} {
		counts, others, _ := choose(tc.all)
		var got []int64
		for _, o := range others {
			got = append(got, o.Ref.Index)
		}
		if counts.Ref.Index != tc.counts || !slices.Equal(got, tc.others) {
			t.Errorf("%s: %d counts beside %v, want %d beside %v", name, counts.Ref.Index, got, tc.counts, tc.others)
		}
	}
}
