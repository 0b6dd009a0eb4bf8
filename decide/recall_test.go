package decide

import (
	"testing"

	"verdict"
)

// A server asks the same engine for as long as nothing is released, about ever new reports: what
// it keeps of each would fill its memory in the end.
func TestWhatAnEngineKeepsOfReportsIsBounded(t *testing.T) {
	r := &recall{}
	for i := range int64(maxChecks + 10) {
		r.keep(i, said{report: &verdict.Report{Check: "secrets"}}, largest+1)
		if len(r.checks) > maxChecks {
			t.Fatalf("it keeps %d", len(r.checks))
		}
	}
	e := &Engine{recall: recall{checks: r.checks}}
	if !e.ofAnother(maxChecks+9, "licences") || e.ofAnother(maxChecks+9, "secrets") {
		t.Error("the newest one is forgotten, or taken for another")
	}
	if e.ofAnother(0, "licences") {
		t.Error("one that is forgotten is passed over, and not read again")
	}
}
