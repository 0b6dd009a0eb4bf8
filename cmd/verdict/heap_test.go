package main

import "testing"

// A limit below what is in use is met by nothing, and has the collector take half of the
// processor: an SBOM of 300,000 components took four times as long.
func TestTheHeapIsNeverHeldToLessThanItNeeds(t *testing.T) {
	for _, c := range []struct{ live, want int64 }{{0, 128 << 20}, {64 << 20, 128 << 20}, {128 << 20, 192 << 20}, {400 << 20, 600 << 20}} {
		if got := limitFor(c.live); got != c.want {
			t.Errorf("with %d MiB in use the limit is %d MiB, want %d", c.live>>20, got>>20, c.want>>20)
		}
	}
}
