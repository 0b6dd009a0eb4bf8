package store

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// A number that comes back as another one would name the wrong component or bill.
func TestNumbersComeBackAsTheyWere(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, ids := range [][]int64{{}, {1}, {2}, {1, 2, 3}, {1, 1 << 40}, {1 << 46, 1<<46 + 1}} {
		back(t, ids)
	}
	for range 500 {
		ids := make([]int64, 0, 300)
		last := int64(0)
		for range r.IntN(300) {
			last += 1 + r.Int64N(1<<r.IntN(30))
			ids = append(ids, last)
		}
		back(t, ids)
	}
}

func back(t *testing.T, ids []int64) {
	t.Helper()
	b := packIDs(ids)
	got, err := unpackIDs(b)
	if err != nil || !slices.Equal(got, ids) {
		t.Fatalf("%v came back as %v, %v", ids, got, err)
	}
	if _, err := unpackIDs(append(b, 1)); err == nil {
		t.Errorf("%v with a byte more is taken", ids)
	}
}

func FuzzUnpackIDs(f *testing.F) {
	f.Add(packIDs([]int64{1, 5, 1000}))
	f.Fuzz(func(t *testing.T, b []byte) {
		ids, err := unpackIDs(b)
		if err == nil && !slices.IsSorted(ids) {
			t.Errorf("%v", ids)
		}
	})
}
