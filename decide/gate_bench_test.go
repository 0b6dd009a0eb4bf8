package decide_test

import (
	"fmt"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
)

// flawedHouse is a house with an artifact that has so many vulnerabilities, none of which
// holds it back, on its way to production.
func flawedHouse(b testing.TB, findings int) (*house, decide.Request) {
	h := gateHouse(b, calm)
	h.seasoned(calm)
	r := clean("vulnerabilities")
	r.Scope.Inputs, r.Scope.Components = 1, int64(findings)
	for i := range findings {
		c := verdict.Component{Ecosystem: "npm", Name: fmt.Sprintf("package-%d", i), Version: "1.0.0", PURL: fmt.Sprintf("pkg:npm/package-%d@1.0.0", i)}
		r.Hits = append(r.Hits, verdict.Hit{
			Key: fmt.Sprintf("CVE-2026-%04d %s", i, c.PURL), Detector: fmt.Sprintf("CVE-2026-%04d", i), Message: c.Name, Severity: verdict.SeverityMedium, Path: "bom.json",
			Vulnerability: &verdict.Vulnerability{ID: fmt.Sprintf("CVE-2026-%04d", i), Aliases: []string{}, Component: c, EPSS: -1, Path: []string{}},
		})
	}
	h.matched(artifact, r)
	h.promote(artifact, "dev", "staging")
	h.matched(artifact, r)
	return h, h.asks(artifact, "production")
}

// BenchmarkGate decides whether an artifact with 500 findings may go into production, and
// records the answer durably: by one caller, by sixteen at once, and by one who begins, which
// has read nothing of it yet, as each command of a pipeline does.
func BenchmarkGate(b *testing.B) {
	for _, c := range []struct {
		name    string
		callers int
		begins  bool
	}{{"1_callers", 1, false}, {"16_callers", 16, false}, {"1_begins", 1, true}} {
		b.Run(c.name, func(b *testing.B) {
			h, r := flawedHouse(b, 500)
			defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program runs
			if d, _, err := h.engine.Decide(h.ctx, r); err != nil || d.Outcome != verdict.Allow {
				b.Fatalf("%v %s %s %+v", err, d.Outcome, rulesOf(d), d.Errors)
			}
			var mu sync.Mutex // guards took
			var took []time.Duration
			var wait sync.WaitGroup
			b.ResetTimer()
			used := processorTime(b)
			next := make(chan struct{}, b.N)
			for range b.N {
				next <- struct{}{}
			}
			close(next)
			for range c.callers {
				wait.Go(func() {
					for range next {
						e := h.engine
						if c.begins {
							e = &decide.Engine{Ledger: e.Ledger, Map: e.Map, Policy: e.Policy, Signer: e.Signer, Now: e.Now, Rand: e.Rand, KeyName: e.KeyName}
						}
						began := time.Now()
						if d, _, err := e.Decide(h.ctx, r); err != nil || d.Outcome != verdict.Allow {
							b.Errorf("%v %s %s", err, d.Outcome, rulesOf(d))
							return
						}
						mu.Lock()
						took = append(took, time.Since(began))
						mu.Unlock()
					}
				})
			}
			wait.Wait()
			b.StopTimer()
			used = processorTime(b) - used
			slices.Sort(took)
			b.ReportMetric(float64(used)/1e6/float64(len(took)), "cpu-ms")
			b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
			b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
			b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "decisions/s")
		})
	}
}

// processorTime is how much of it this process has used, which a busy machine changes least.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
