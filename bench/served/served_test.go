package served

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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

// promoted is a map under which the decisions of the large log count in a cluster.
const promoted = `schema: verdict/v1
organization: acme
environments:
  prod: {tier: dev, kubernetes: [{cluster: aks, namespaces: [shop]}]}
people:
  p1: {teams: [web]}
points:
  - {id: deploy.gate, mode: block}
  - {id: deploy.admission, mode: block}
trust:
  - {name: gate, key: "KEY", kinds: ["*"], services: ["*"], environments: ["*"]}
  - {name: gate promotes, key: "KEY", kinds: [promotion], services: ["*"], environments: ["*"]}
`

// release puts the map in force, once for a log.
func release(b *testing.B, folder string) {
	b.Helper()
	done := filepath.Join(folder, "released")
	if _, err := os.Stat(done); err == nil {
		return
	}
	key, err := evidence.OpenKey(filepath.Join(folder, "data", "keys", "local.pem"))
	if err != nil {
		b.Fatal(err)
	}
	file := filepath.Join(folder, "map.yaml")
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(promoted, "KEY", key.KeyID())), 0o600); err != nil {
		b.Fatal(err)
	}
	// It takes two persons, neither of whom enrolled the other.
	for _, words := range []string{"people enroll second", "people enroll third --as second", "map release " + file, "map release " + file + " --as third"} {
		cmd := exec.Command(os.Getenv("VERDICT_BIN"), append(strings.Fields(words), "--data", filepath.Join(folder, "data"))...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + folder, "XDG_STATE_HOME=" + filepath.Join(folder, "state")}
		out, err := cmd.CombinedOutput()
		var exited *exec.ExitError
		if err != nil && !(errors.As(err, &exited) && exited.ExitCode() == 5) { // proposed
			b.Fatalf("verdict %s: %v: %s", words, err, out)
		}
	}
	if err := os.WriteFile(done, nil, 0o600); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkStart starts over a large log until it may be asked, also by clusters: a tenth of
// its entries are promotions that count there.
func BenchmarkStart(b *testing.B) {
	folder := large(b)
	release(b, folder)
	var took []time.Duration
	var memory float64
	for range b.N {
		p := start(b, folder, asked{admission: true})
		took = append(took, p.took)
		memory = max(memory, p.memory("VmHWM"))
		p.end() // one server at a time has the data
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
