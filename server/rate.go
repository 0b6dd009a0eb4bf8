package server

import (
	"sync"
	"time"
)

// maxBuckets is how many callers' rates are remembered; the fullest are forgotten first,
// which loses them nothing.
const maxBuckets = 16_384

// buckets limit how often each of many callers may ask: a token bucket each, which holds two
// seconds' worth. All methods may be called at the same time.
type buckets struct {
	rate float64
	now  func() time.Time

	mu sync.Mutex
	of map[string]*bucket // guarded by mu
}

type bucket struct {
	left float64
	at   time.Time
}

func newBuckets(rate float64, now func() time.Time) *buckets {
	return &buckets{rate: rate, now: now, of: map[string]*bucket{}}
}

// take reports whether the caller may ask now.
func (b *buckets) take(who string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	x := b.filled(who)
	if x.left < 1 {
		return false
	}
	x.left--
	return true
}

// charge takes what was done for a caller in the place of so many requests, also where it is more
// than he has: he may ask again when it is earned.
func (b *buckets) charge(who string, requests float64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.filled(who).left -= requests
}

// filled is a caller's bucket as it is now. It is called with mu held.
func (b *buckets) filled(who string) *bucket {
	now, most := b.now(), 2*b.rate
	x, known := b.of[who]
	if !known {
		if len(b.of) >= maxBuckets {
			b.forget(now)
		}
		x = &bucket{most, now}
		b.of[who] = x
	}
	if passed := now.Sub(x.at).Seconds(); passed > 0 {
		x.left = min(most, x.left+passed*b.rate)
	}
	x.at = now // also when the clock went back: what was earned stays
	return x
}

// giveBack takes it back that somebody was counted, who turned out to be somebody else.
func (b *buckets) giveBack(who string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if x := b.of[who]; x != nil {
		x.left = min(2*b.rate, x.left+1)
	}
}

// forget drops the buckets that are full again, or all when none is. It is called with mu held.
func (b *buckets) forget(now time.Time) {
	for who, x := range b.of {
		if x.left+now.Sub(x.at).Seconds()*b.rate >= 2*b.rate {
			delete(b.of, who)
		}
	}
	if len(b.of) >= maxBuckets {
		clear(b.of)
	}
}
