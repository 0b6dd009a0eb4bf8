package decide_test

import (
	"fmt"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	"verdict"
	"verdict/decide"
)

// BenchmarkTrust decides whether an artifact is what a trusted builder made from checked
// source: its bill of 500 components and its provenance are read, the commit's checks and
// decisions are found, and the answer is recorded durably.
func BenchmarkTrust(b *testing.B) {
	h := newHouse(b, trustMap)
	h.checkCommit("payments")
	var components []string
	for i := range 500 {
		components = append(components, fmt.Sprintf(`{"type":"library","name":"x-%d","version":"1.0.0","purl":"pkg:npm/x-%d@1.0.0"}`, i, i))
	}
	h.attest("local", verdict.KindSBOM, artifact, `{"bomFormat":"CycloneDX","specVersion":"1.6","components":[`+strings.Join(components, ",")+`]}`)
	h.attest("local", verdict.KindProvenance, artifact, build{}.json())
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // as the program runs
	r := decide.Request{Point: "artifact.trust", Subject: artifact, Service: "payments", Team: "payments", Trigger: "bench", Actor: "key:bench"}
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		d, _, err := h.engine.Decide(h.ctx, r)
		if err != nil || d.Outcome != verdict.Allow {
			b.Fatalf("%v %s %s %+v", err, d.Outcome, rulesOf(d), d.Errors)
		}
		took = append(took, time.Since(began))
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2])/1e6, "p50-ms")
	b.ReportMetric(float64(took[len(took)*99/100])/1e6, "p99-ms")
	b.ReportMetric(float64(len(took))/b.Elapsed().Seconds(), "decisions/s")
}
