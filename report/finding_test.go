package report

import (
	"strings"
	"testing"

	"verdict"
)

// What a change brings stands before what was there: its author would look for it among
// dozens of older findings of the same weight.
func TestWhatAChangeBringsIsToldFirst(t *testing.T) {
	items := []verdict.Item{
		{Key: "1", Path: "b.go", Line: 2, Old: true}, {Key: "2", Path: "z.go", Line: 9}, {Key: "3", Path: "a.go", Line: 7, Old: true},
		{Key: "4", Path: "c.go", Line: 3}, {Key: "5", Path: "c.go", Line: 1},
	}
	run := Run{Decisions: []verdict.Decision{{Outcome: verdict.Deny, Reasons: []verdict.Reason{{Rule: "ci.secrets.none", Severity: verdict.SeverityCritical, Items: items}}}}}
	var places []string
	for _, f := range run.findings() {
		places = append(places, f.place())
	}
	if got := strings.Join(places, " "); got != "c.go:1 c.go:3 z.go:9 a.go:7 b.go:2" {
		t.Error(got)
	}
}
