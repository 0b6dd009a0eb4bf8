package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
)

// decisionsOfLog is how many decisions the log of the benchmarks has: 100,000 with make bench.
func decisionsOfLog() int {
	if os.Getenv("VERDICT_BENCH") != "" {
		return 100_000
	}
	return 4_000
}

// filledLog is a real log with so many promotions to production by one key.
func filledLog(b *testing.B, n int) (*ledger.Ledger, *evidence.KeyFile) {
	b.Helper()
	folder := b.TempDir()
	engine, err := sqlite.Open(b.Context(), filepath.Join(folder, "ledger.db"), sqlite.Options{})
	if err != nil {
		b.Fatal(err)
	}
	db, err := store.New(b.Context(), engine)
	if err != nil {
		b.Fatal(err)
	}
	blobs, err := dir.Open(filepath.Join(folder, "blobs"), dir.Options{})
	if err != nil {
		b.Fatal(err)
	}
	logKey, err := evidence.CreateLogKey(filepath.Join(folder, "log.key"))
	if err != nil {
		b.Fatal(err)
	}
	key, err := evidence.CreateKey(filepath.Join(folder, "gate.key"))
	if err != nil {
		b.Fatal(err)
	}
	l, err := ledger.Open(b.Context(), ledger.Options{Store: db, Blobs: blobs, LogKey: logKey, Signer: key, AnchorDir: filepath.Join(folder, "anchor")})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	event, err := identity.NewEnrolment("gate", key.PublicPEM())
	if err != nil {
		b.Fatal(err)
	}
	states := func(kind verdict.Kind, about verdict.Subject, predicate any) *evidence.Bundle {
		s, err := evidence.New(kind, []verdict.Subject{about}, predicate, verdict.Context{Service: "web", Environment: "prod", Point: "deploy.gate", At: noon}, nil)
		if err != nil {
			b.Fatal(err)
		}
		bundle, err := evidence.Sign(b.Context(), s, key)
		if err != nil {
			b.Fatal(err)
		}
		return bundle
	}
	if _, err := l.Append(b.Context(), states(verdict.KindKey, verdict.Subject{Kind: verdict.SubjectIdentity, Name: "gate", Digest: digest("0")}, event)); err != nil {
		b.Fatal(err)
	}
	g, ctx := errgroup.WithContext(b.Context())
	g.SetLimit(6)
	for from := 0; from < n; from += 250 {
		g.Go(func() error {
			var all []*evidence.Bundle
			for i := from; i < min(from+250, n); i++ {
				about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "ghcr.io/acme/web", Digest: loadDigest(i)}
				all = append(all, states(verdict.KindDecision, about, verdict.Decision{
					ID: fmt.Sprintf("d-%016d", i), Point: "deploy.gate", Layer: verdict.LayerDeploy, Mode: verdict.ModeBlock, Subject: about, Service: "web", Environment: "prod",
					At: noon, Outcome: verdict.Allow, Enforced: verdict.Allow, Expires: noon.AddDate(10, 0, 0),
				}))
			}
			_, err := l.AppendAll(ctx, all)
			return err
		})
	}
	if err := g.Wait(); err != nil {
		b.Fatal(err)
	}
	return l, key
}

// over makes an Admission over a real log, whose one key may promote.
func over(b *testing.B, l *ledger.Ledger, key *evidence.KeyFile) *Admission {
	b.Helper()
	m := loaded(b, "block")
	for i := range m.Trust {
		m.Trust[i].Key = key.KeyID()
	}
	a, err := New(Options{Log: l, Now: time.Now, Ledger: l, Signer: key, Basis: func(context.Context, ledger.Position) (Basis, error) {
		return Basis{Map: m, Who: whoOf(m)}, nil
	}})
	if err != nil {
		b.Fatal(err)
	}
	return a
}

func heap() float64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc) / 1e6
}

// processorTime is how much of it this process has used, which a busy machine changes least.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// timed keeps how long a handler took.
type timed struct {
	h    http.Handler
	mu   sync.Mutex // guards took
	took []time.Duration
}

func (t *timed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	began := time.Now()
	t.h.ServeHTTP(w, r)
	d := time.Since(began)
	t.mu.Lock()
	defer t.mu.Unlock()
	t.took = append(t.took, d)
}

// BenchmarkAdmission reads all decisions of a log, and answers a second process over TLS.
func BenchmarkAdmission(b *testing.B) {
	n := decisionsOfLog()
	l, key := filledLog(b, n)
	a := over(b, l, key)
	b.Run("start", func(b *testing.B) {
		before, used := heap(), processorTime(b)
		for b.Loop() {
			a.set.Store(nil)
			if err := a.CatchUp(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
		b.ReportMetric(b.Elapsed().Seconds()/float64(b.N), "s")
		b.ReportMetric((processorTime(b)-used).Seconds()/float64(b.N), "cpu-s")
		b.ReportMetric(heap()-before, "MB")
		b.ReportMetric(float64(n), "decisions")
	})
	ctx, stop := context.WithCancel(b.Context())
	defer stop()
	var following sync.WaitGroup
	following.Go(func() { _ = a.Run(ctx) })
	defer func() { stop(); following.Wait() }()
	certs, err := MakeCertificates(b.TempDir(), []string{"127.0.0.1"}, time.Now)
	if err != nil {
		b.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	h := &timed{h: a.Handler()}
	s := &http.Server{Handler: h, TLSConfig: certs.TLS(nil)}
	following.Go(func() { _ = s.ServeTLS(listener, "", "") })
	defer s.Close()
	order := loadOrder{URL: "https://" + listener.Addr().String() + "/admission/aks", CA: certs.CA(), Clients: 50, Rate: 1000, Seconds: 8, Digests: n}
	b.Run("open_loop", func(b *testing.B) { h.measures(b, order) })
	order.Rate, order.Seconds = 0, 4
	b.Run("saturation", func(b *testing.B) { h.measures(b, order) })
}

// measures has the other process make its load once.
func (t *timed) measures(b *testing.B, o loadOrder) {
	t.mu.Lock()
	t.took = nil
	t.mu.Unlock()
	text, err := json.Marshal(o)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.CommandContext(b.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), loadVariable+"="+string(text))
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	used := processorTime(b)
	if err := cmd.Run(); err != nil {
		b.Fatalf("%v %s", err, said.String())
	}
	var r loadResult
	if err := json.Unmarshal(out.Bytes(), &r); err != nil || r.Failures > 0 || r.Answers == 0 {
		b.Fatalf("%v %+v", err, r)
	}
	used = processorTime(b) - used
	t.mu.Lock()
	defer t.mu.Unlock()
	slices.Sort(t.took)
	b.ReportMetric(float64(used.Microseconds())/1000/float64(r.Answers), "cpu-ms/answer")
	b.ReportMetric(float64(t.took[len(t.took)/2])/1e6, "handler-p50-ms")
	b.ReportMetric(float64(t.took[len(t.took)*99/100])/1e6, "handler-p99-ms")
	b.ReportMetric(r.P50, "client-p50-ms")
	b.ReportMetric(r.P99, "client-p99-ms")
	b.ReportMetric(float64(r.Answers)/r.Seconds, "answers/s")
}
