package main

import (
	"fmt"
	"path/filepath"
	"time"

	"verdict"
	"verdict/advisory"
)

// matching measures how long 1,000 components take, with opening the index: on one
// goroutine that does nothing but compute, the clock and the processor agree.
func matching(c candidate) figure {
	const what, most = "1,000 purls matched", 15 * time.Millisecond
	found, err := filepath.Glob(filepath.Join(c.home, "data", "verdict", "advisories.idx"))
	if err != nil || len(found) != 1 {
		return figure{what: what, why: fmt.Sprintf("no index below %s: %v, %v", c.home, found, err)}
	}
	best, hits := time.Hour, 0
	for range quickRuns {
		began := time.Now()
		x, err := advisory.Open(found[0])
		if err != nil {
			return figure{what: what, why: err.Error()}
		}
		hits = 0
		for i := range 1000 {
			e := invented[i%len(invented)]
			v, err := x.Match(verdict.Component{Ecosystem: e, Name: names(e, i%inventedPackages), Version: "1.2.3"})
			if err != nil {
				x.Close()
				return figure{what: what, why: err.Error()}
			}
			hits += len(v)
		}
		best = min(best, time.Since(began))
		if err := x.Close(); err != nil {
			return figure{what: what, why: err.Error()}
		}
	}
	return figure{what: what, got: fmt.Sprintf("%.1f ms CPU, %d hits", best.Seconds()*1e3, hits), reach: "< 15 ms CPU", met: best < most && hits > 0}
}
