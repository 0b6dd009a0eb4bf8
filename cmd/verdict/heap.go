package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
)

// frugal is how many bytes the heap may have before it is collected more often than the
// percentage of growth asks for.
const frugal = 128 << 20

// limitHeap has a heap that grows past frugal collected sooner. It is no bound: what is in use
// may be more, and collecting it over and over for a limit that cannot be met would cost more
// than the work, so that the limit stays half of it above what the last collection left.
func limitHeap() {
	debug.SetMemoryLimit(frugal)
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}}
	limit := int64(frugal)
	var after func(*[16]byte)
	after = func(sign *[16]byte) { // once after each collection, one at a time
		metrics.Read(sample)
		if next := limitFor(int64(sample[0].Value.Uint64())); next != limit {
			limit = next
			debug.SetMemoryLimit(limit)
		}
		runtime.SetFinalizer(sign, after)
	}
	runtime.SetFinalizer(&[16]byte{}, after)
}

// limitFor is the limit while so many bytes are in use.
func limitFor(live int64) int64 { return max(frugal, live+live/2) }
