package decide

import (
	"fmt"
	"testing"
	"time"

	"verdict"
)

// A gate runs for months, and is asked about other artifacts every day: what it keeps of their
// findings may not grow with them.
func TestFindingsAreKeptOnlyUpToABound(t *testing.T) {
	a := &ages{}
	for i := range 400 {
		is := &aged{since: map[flaw]time.Time{}}
		for n := range 500 {
			is.since[flaw{id: fmt.Sprint(n)}] = time.Time{}
		}
		statement := verdict.NewDigest("sha256", fmt.Sprintf("%064d", i))
		a.keep(agedKey{found: fmt.Sprint(i)}, is)
		a.gathering(fmt.Sprint(i), is)
		a.taking(fmt.Sprint(i), statement)
		if a.knownBy(statement) != is {
			t.Fatalf("the findings of decision %d are not kept", i)
		}
		distinct := map[*aged]bool{}
		for _, x := range a.of {
			distinct[x] = true
		}
		for _, x := range a.known {
			distinct[x] = true
		}
		if n := len(distinct) * 500; n > maxAged || len(a.taken) != 0 {
			t.Fatalf("%d findings are kept after %d decisions, and %d wait", n, i+1, len(a.taken))
		}
	}
}
