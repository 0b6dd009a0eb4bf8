package served

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/server/wire"
	"verdict/store/storetest"
)

// signed is about what a check of a small repository states, 4 KiB, about one commit.
func signed(ctx context.Context, key *evidence.KeyFile, n int, commit string) (*evidence.Bundle, error) {
	hits := make([]verdict.Hit, 0, 18)
	for i := range 18 {
		hits = append(hits, verdict.Hit{
			Key: fmt.Sprintf("%016x", n*31+i), Detector: "generic-api-key", Message: "a secret that looks like an API key", Severity: verdict.SeverityHigh,
			Path: fmt.Sprintf("services/payments/config/%d.yaml", i), Line: int64(i), Fix: "revoke it and read it from the vault",
		})
	}
	about := verdict.Subject{Kind: verdict.SubjectChange, Name: "https://git.example/shop", Digest: verdict.NewDigest("gitCommit", commit)}
	at := time.Now().UTC().Truncate(time.Microsecond)
	s, err := evidence.NewCheck(verdict.Report{Check: "secrets", Tool: verdict.Tool{Name: "verdict", Version: "1"}, Complete: true, Hits: hits, NotChecked: []verdict.NotChecked{}},
		[]verdict.Subject{about}, at, at, verdict.Context{Service: "shop", Point: "ci.secrets", Run: fmt.Sprint(n), Actor: "key:" + key.KeyID(), Retention: "change", At: at}, nil)
	if err != nil {
		return nil, err
	}
	return evidence.Sign(ctx, s, key)
}

// bundles are statements of the machine's own key, signed before anything is measured:
// signing is the producer's work.
func bundles(b *testing.B, p *plane, n int, commit func(i int) string) [][]byte {
	b.Helper()
	key, err := evidence.OpenKey(filepath.Join(p.folder, "data", "keys", "local.pem"))
	if err != nil {
		b.Fatal(err)
	}
	out := make([][]byte, n)
	var wait sync.WaitGroup
	for part := range 2 {
		wait.Go(func() {
			for i := part; i < n; i += 2 {
				x, err := signed(b.Context(), key, i, commit(i))
				if err != nil {
					b.Error(err)
					return
				}
				out[i] = x.JSON()
			}
		})
	}
	wait.Wait()
	return out
}

// BenchmarkEvidence sends pieces of evidence one by one from 128 writers: each is verified,
// durable and logged when it is acknowledged.
func BenchmarkEvidence(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		b.Run(engine, func(b *testing.B) {
			var as asked
			if engine == "postgres" {
				as.database = storetest.Postgres(b)
			}
			p := start(b, b.TempDir(), as)
			all := bundles(b, p, b.N, func(i int) string { return fmt.Sprintf("%040x", i) })
			next := make(chan []byte)
			took := make([][]time.Duration, writers)
			began := p.processor()
			b.ResetTimer()
			var wait sync.WaitGroup
			for w := range writers {
				wait.Go(func() {
					for x := range next {
						at := time.Now()
						if _, err := p.ask(b.Context(), http.MethodPost, wire.Prefix+"/evidence", wire.BundleType, x); err != nil {
							b.Error(err)
						}
						took[w] = append(took[w], time.Since(at))
					}
				})
			}
			for _, x := range all {
				next <- x
			}
			close(next)
			wait.Wait()
			b.StopTimer()
			var flat []time.Duration
			for _, t := range took {
				flat = append(flat, t...)
			}
			percentiles(b, flat)
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "pieces/s")
			b.ReportMetric(float64((p.processor()-began).Microseconds())/float64(b.N), "cpu-µs/piece")
			b.ReportMetric(p.memory("VmHWM"), "peak-MB")
		})
	}
}

// large is the folder of a log that BenchmarkLeave of the ledger left.
func large(b *testing.B) string {
	b.Helper()
	folder := os.Getenv("VERDICT_BENCH_LARGE")
	if folder == "" {
		b.Skip("VERDICT_BENCH_LARGE names no folder with a large log")
	}
	return folder
}

// BenchmarkStart starts over a large log until it may be asked, also by clusters: a tenth of
// its entries are decisions of the gate.
func BenchmarkStart(b *testing.B) {
	folder := large(b)
	var took []time.Duration
	var memory float64
	for range b.N {
		p := start(b, folder, asked{admission: true})
		took = append(took, p.took)
		memory = max(memory, p.memory("VmHWM"))
	}
	percentiles(b, took)
	b.ReportMetric(memory, "peak-MB")
}

// BenchmarkIdle is a server that nobody has asked anything yet.
func BenchmarkIdle(b *testing.B) {
	for range b.N {
		p := start(b, b.TempDir(), asked{})
		time.Sleep(2 * time.Second)
		b.ReportMetric(p.memory("VmRSS"), "MB")
		b.ReportMetric(p.memory("RssAnon"), "own-MB")
		b.ReportMetric(p.took.Seconds()*1e3, "ready-ms")
	}
}

// BenchmarkWhy and BenchmarkTrail ask about a change with 200 pieces of evidence, in a large
// log.
func BenchmarkWhy(b *testing.B)   { aboutOne(b, "why") }
func BenchmarkTrail(b *testing.B) { aboutOne(b, "trail") }

func aboutOne(b *testing.B, question string) {
	p := start(b, large(b), asked{})
	commit := fmt.Sprintf("%040x", time.Now().UnixNano())
	for _, x := range bundles(b, p, 200, func(int) string { return commit }) {
		if _, err := p.ask(b.Context(), http.MethodPost, wire.Prefix+"/evidence", wire.BundleType, x); err != nil {
			b.Fatal(err)
		}
	}
	var a wire.Answer
	about := verdict.Subject{Kind: verdict.SubjectChange, Name: "https://git.example/shop", Digest: verdict.NewDigest("gitCommit", commit)}
	if err := p.post(b.Context(), wire.Prefix+"/decisions", wire.Ask{Point: "ci.secrets", Subject: about, Service: "shop", Trigger: "bench", Run: "1"}, &a); err != nil {
		b.Fatal(err)
	}
	var took []time.Duration
	size := 0
	for b.Loop() {
		at := time.Now()
		answer, err := p.ask(b.Context(), http.MethodGet, wire.Prefix+"/"+question+"?ref="+commit, "", nil)
		if err != nil {
			b.Fatal(err)
		}
		took, size = append(took, time.Since(at)), len(answer)
	}
	percentiles(b, took)
	b.ReportMetric(float64(size), "bytes")
	b.ReportMetric(p.memory("VmHWM"), "peak-MB")
}
