package main

import (
	"testing"

	"verdict"
)

// A risk that comes back under another name is worth telling; one that was never gone, or
// of which nobody knows whether it was, must not be called so.
func TestARiskRecursOnlyWhereItWasGone(t *testing.T) {
	has := func(change verdict.Digest) earlierRun {
		return earlierRun{&verdict.Report{Complete: true, Scope: verdict.Scope{Path: "."}, Hits: []verdict.Hit{{Pattern: "other"}, {Pattern: "p", Path: "a.tf", Line: 3}}}, change}
	}
	without := func(change verdict.Digest) earlierRun {
		return earlierRun{&verdict.Report{Complete: true, Scope: verdict.Scope{Path: "."}}, change}
	}
	incomplete, part := without("i"), without("s")
	incomplete.report.Complete = false
	part.report.Scope.Paths = []string{"svc"}
	for name, c := range map[string]struct {
		newestFirst []earlierRun
		found, gone verdict.Digest
	}{
		"it was found, and taken out":            {[]earlierRun{without("3"), without("2"), has("1")}, "1", "2"},
		"it was never gone":                      {[]earlierRun{has("2"), without("1"), has("0")}, "", ""},
		"it was never there":                     {[]earlierRun{without("2"), without("1")}, "", ""},
		"nothing was ever checked":               {nil, "", ""},
		"an incomplete run shows nothing":        {[]earlierRun{incomplete, has("1")}, "", ""},
		"a run of one service shows nothing":     {[]earlierRun{part, has("1")}, "", ""},
		"an incomplete one between says nothing": {[]earlierRun{without("3"), incomplete, has("1")}, "1", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			got := recurrence(c.newestFirst, "p")
			if (got != nil) != (c.found != "") || got != nil && (got.Found != c.found || got.Gone != c.gone || got.Path != "a.tf" || got.Line != 3) {
				t.Errorf("%+v", got)
			}
		})
	}
}
