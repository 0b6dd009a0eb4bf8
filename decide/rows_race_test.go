package decide

import (
	"testing"

	"verdict/ledger"
)

// While one caller reads what came since, another may have all that is kept forgotten. What
// is newest must not pass for all that was ever decided then: nothing would have been let in
// before, and nobody could go back to it.
func TestRowsThatWereForgottenMeanwhileAreNotLost(t *testing.T) {
	for _, cut := range []bool{false, true} {
		r, of := &rows{}, series{"deploy.gate", "payments"}
		was := r.keep(of, rowList{}, rowList{upTo: 2, list: []ledger.DecisionRow{{Index: 0}, {Index: 1}}, cut: cut})
		r.of, r.size = nil, 0
		is := r.keep(of, was, rowList{upTo: 3, list: []ledger.DecisionRow{{Index: 2}}})
		if len(is.list) != 3 || is.cut != cut || r.size != 3 {
			t.Errorf("%d rows are known of 3, %d counted, older ones left out: %v", len(is.list), r.size, is.cut)
		}
	}
}
