package report

import (
	"reflect"
	"time"

	"verdict"
)

// document is the JSON form of a run, verdict.report/v1.
type document struct {
	Schema  string    `json:"schema"`
	Command string    `json:"command"` // what was run
	Version string    `json:"version"` // of Verdict
	At      time.Time `json:"at"`
	// Answer is the outcome in words, as text output has it.
	Answer   string          `json:"answer"`
	Outcome  verdict.Outcome `json:"outcome"`  // what the facts say, joined over the decisions
	Enforced verdict.Outcome `json:"enforced"` // what the modes let through
	// Exit is the exit code that the decisions ask for; with report_only the process
	// ended with 0 instead of 3 or 5.
	Exit       int  `json:"exit"`
	ReportOnly bool `json:"report_only"`
	// Complete is false when a check did not read everything that it should have, or
	// when nothing was decided.
	Complete  bool               `json:"complete"`
	Decisions []verdict.Decision `json:"decisions"`
	Reports   []verdict.Report   `json:"reports"`
	// NotBuilt lists points that were not asked because no rule for them exists yet.
	NotBuilt []string `json:"not_built"`
	Notes    []string `json:"notes"` // further facts that a reader must not miss
	// Declared is what the map says of the environment that was asked about, value by value.
	Declared []Declared `json:"declared,omitempty"`
	// Next are the commands that lead on from this answer.
	Next []Further `json:"next,omitempty"`
	// Mended is what --fix wrote into the working copy after it was judged.
	Mended *Mended `json:"mended,omitempty"`
}

func runDocument(r Run) any {
	return full(document{
		Schema: "verdict.report/v1", Command: r.Command, Version: r.Version, At: r.At.UTC(),
		Answer: lower(r.headline().words), Outcome: r.Outcome(), Enforced: r.Enforced(),
		Exit: r.Exit(), ReportOnly: r.ReportOnly, Complete: r.complete(),
		Decisions: r.Decisions, Reports: r.Reports, NotBuilt: r.NotBuilt, Notes: r.Notes, Declared: r.Declared, Next: r.Next, Mended: r.Mended,
	})
}

// full is a copy of v in which every nil slice is an empty one: a reader of our
// documents never meets null where a list belongs.
func full[T any](v T) T {
	out := reflect.New(reflect.TypeFor[T]()).Elem()
	fill(out, reflect.ValueOf(v))
	return out.Interface().(T)
}

func fill(to, from reflect.Value) {
	switch from.Kind() {
	case reflect.Slice:
		to.Set(reflect.MakeSlice(from.Type(), from.Len(), from.Len()))
		for i := range from.Len() {
			fill(to.Index(i), from.Index(i))
		}
	case reflect.Struct:
		to.Set(from) // unexported fields, such as a time's
		for i := range from.NumField() {
			if from.Type().Field(i).IsExported() {
				fill(to.Field(i), from.Field(i))
			}
		}
	case reflect.Pointer:
		if !from.IsNil() {
			to.Set(reflect.New(from.Type().Elem()))
			fill(to.Elem(), from.Elem())
		}
	default:
		to.Set(from)
	}
}
