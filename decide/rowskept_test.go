package decide

import (
	"testing"

	"verdict"
	"verdict/ledger"
)

// What is kept of a series may be put away while somebody reads what came behind it. The few
// rows that he brings are not all that there is: a promotion among the rest would be forgotten,
// and with it that another build of the commit was let in.
func TestRowsBehindAListThatWasPutAwayAreNotTheWholeSeries(t *testing.T) {
	of := series{"deploy.gate", "payments"}
	row := func(index int64) []ledger.DecisionRow {
		return []ledger.DecisionRow{{Index: index, Subject: verdict.Digest("sha256:a")}}
	}
	var r rows
	if is := r.keep(of, rowList{upTo: 10, list: row(3)}); is.cut || len(is.list) != 1 {
		t.Fatalf("all from the beginning is kept as %+v", is)
	}
	if is := r.keep(of, rowList{from: 10, upTo: 20, list: row(12)}); is.cut || len(is.list) != 2 {
		t.Fatalf("what came behind it is kept as %+v", is)
	}
	r.of, r.size = nil, 0
	if is := r.keep(of, rowList{from: 20, upTo: 30, list: row(25)}); !is.cut || len(is.list) != 1 {
		t.Errorf("rows from position 20 on pass for all that there are: %+v", is)
	}
	if is := r.keep(of, rowList{from: 30, upTo: 40, list: row(31)}); !is.cut || len(is.list) != 2 {
		t.Errorf("once older rows were left out they are there again: %+v", is)
	}
}
