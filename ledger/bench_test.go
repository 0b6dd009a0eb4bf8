package ledger_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store/storetest"
)

// statement4K is about what a check of a small repository states: 4 KiB, other each time.
func (b *bed) statement4K() *evidence.Bundle {
	hits := make([]verdict.Hit, 0, 18)
	n := b.serial.Add(1)
	for i := range 18 {
		hits = append(hits, verdict.Hit{
			Key: fmt.Sprintf("%016x", n*31+int64(i)), Detector: "generic-api-key", Message: "a secret that looks like an API key", Severity: verdict.SeverityHigh,
			Path: fmt.Sprintf("services/payments/config/%d.yaml", i), Line: int64(i), Fix: "revoke it and read it from the vault",
		})
	}
	about := verdict.Subject{Kind: verdict.SubjectChange, Name: "https://git.example/shop", Digest: verdict.NewDigest("gitCommit", fmt.Sprintf("%040x", n))}
	at := b.now()
	s, err := evidence.NewCheck(verdict.Report{Check: "secrets", Tool: verdict.Tool{Name: "verdict", Version: "1"}, Complete: true, Hits: hits, NotChecked: []verdict.NotChecked{}},
		[]verdict.Subject{about}, at, at, verdict.Context{Service: "shop", Point: "ci.secrets", Run: "7", Actor: "p1", Retention: "change", At: at}, nil)
	if err != nil {
		panic(err)
	}
	x, err := evidence.Sign(context.Background(), s, b.key)
	if err != nil {
		panic(err)
	}
	return x
}

// BenchmarkAppend is a durable append with everything: signature verified, leaf, rows,
// commit synced, anchor synced. Signing is the producer's work and is not counted.
func BenchmarkAppend(b *testing.B) {
	for _, engine := range []string{"sqlite", "postgres"} {
		for _, writers := range []int{128, 1} {
			b.Run(fmt.Sprintf("%s/%s", engine, map[int]string{128: "128_writers", 1: "1_writer"}[writers]), func(b *testing.B) {
				d := newBed(b)
				if engine == "postgres" {
					d.dsn = storetest.Postgres(b)
				}
				l := d.begun()
				bundles := make([]*evidence.Bundle, b.N)
				var sign sync.WaitGroup
				for part := range 4 {
					sign.Go(func() {
						for i := part; i < b.N; i += 4 {
							bundles[i] = d.statement4K()
						}
					})
				}
				sign.Wait()
				next := make(chan *evidence.Bundle, writers)
				b.ReportMetric(float64(len(bundles[0].Payload())), "bytes/statement")
				began := cpu(b)
				b.ResetTimer()
				var wait sync.WaitGroup
				for range writers {
					wait.Go(func() {
						for x := range next {
							if _, err := l.Append(b.Context(), x); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				for _, x := range bundles {
					next <- x
				}
				close(next)
				wait.Wait()
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
				b.ReportMetric(float64((cpu(b)-began).Microseconds())/float64(b.N), "cpu-µs/append")
			})
		}
	}
}

// million is one log of a million entries for the benchmarks that need one.
var million struct {
	once sync.Once
	bed  *bed
	log  *ledger.Ledger
	dir  string
}

// large gives a log of 1,000,000 entries with make bench, and of 20,000 otherwise.
func large(b *testing.B) (*ledger.Ledger, int64) {
	b.Helper()
	n := 20_000
	if os.Getenv("VERDICT_BENCH") != "" {
		n = 1_000_000
	}
	million.once.Do(func() {
		dir, err := os.MkdirTemp("", "verdict-bench-")
		if err != nil {
			b.Fatal(err)
		}
		million.dir = dir
		million.bed = newBedIn(b, dir)
		million.log = million.bed.open()
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		ledger.Fill(b, million.log, key, n-1)
		fmt.Printf("a log of %d entries was made in %v\n", n, time.Since(began).Round(time.Second))
	})
	return million.log, int64(n)
}

func percentiles(b *testing.B, took []time.Duration) {
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}

func BenchmarkInclusion(b *testing.B) {
	l, n := large(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		p, err := l.Inclusion(b.Context(), mathrand.Int64N(n))
		took = append(took, time.Since(began))
		if err != nil || p.Check() != nil {
			b.Fatal(err)
		}
	}
	percentiles(b, took)
}

func BenchmarkConsistency(b *testing.B) {
	l, n := large(b)
	var took []time.Duration
	for b.Loop() {
		began := time.Now()
		p, err := l.Consistency(b.Context(), 1+mathrand.Int64N(n-1), n)
		took = append(took, time.Since(began))
		if err != nil || p.Check() != nil {
			b.Fatal(err)
		}
	}
	percentiles(b, took)
}

// BenchmarkVerify reads the whole log once. peak-MB is the most memory that the process
// had at a time, everything included.
func BenchmarkVerify(b *testing.B) {
	for _, signatures := range []bool{false, true} {
		b.Run(map[bool]string{false: "chain_and_projections", true: "with_signatures"}[signatures], func(b *testing.B) {
			l, n := large(b)
			for b.Loop() {
				debug.FreeOSMemory()
				os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200) // begin a new peak, where the system can
				began := cpu(b)
				r, err := l.Verify(b.Context(), ledger.VerifyOptions{Signatures: signatures})
				b.ReportMetric((cpu(b) - began).Seconds(), "cpu-s/log")
				if err != nil || !r.Holds() || r.Verified < n {
					b.Fatalf("%+v, %v", r, err)
				}
			}
			b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s/log")
			b.ReportMetric(float64(n), "entries")
			b.ReportMetric(peak(b), "peak-MB")
		})
	}
}

// cpu is the processor time of this process: on a machine that others use too, the wall
// clock says more about them.
func cpu(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peak is the largest resident set since it was last cleared, in MB.
func peak(b *testing.B) float64 {
	text, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			kb, err := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			if err != nil {
				b.Fatal(err)
			}
			return kb / 1000
		}
	}
	return 0
}
