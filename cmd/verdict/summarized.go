package main

import (
	"strings"

	"verdict"
	"verdict/evidence"
)

// summaryTold tells a verification summary in a few words; "" of one that cannot be read.
func summaryTold(s *evidence.Statement) string {
	var v evidence.Summary
	if s.Decode(&v) != nil || v.Result == "" {
		return ""
	}
	out := "verification summary " + v.Result
	if v.Result == evidence.SummaryPassed && len(v.Levels) > 0 {
		out += " with " + strings.Join(v.Levels[:min(len(v.Levels), 4)], ", ")
	}
	return out
}

// findingTold tells a finding of what runs in a few words: what, where, and how it stands; ""
// of one that cannot be read.
func findingTold(s *evidence.Statement) string {
	var f verdict.Finding
	if s.Decode(&f) != nil || len(f.Advisories) == 0 {
		return ""
	}
	out := "finding " + f.Advisories[0]
	if len(f.Components) > 0 {
		out += " of " + f.Components[0].Name + " " + f.Components[0].Version
	}
	out += " " + string(f.State) + " in " + f.Environment + " as " + f.Service
	if f.Why != "" {
		out += ": " + f.Why
	}
	return out
}
