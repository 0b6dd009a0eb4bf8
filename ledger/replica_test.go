package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/storetest"
)

// replica opens the ledger as another machine would: with an anchor directory of its own.
func (b *bed) replica(name string, change func(*ledger.Options)) (*ledger.Ledger, error) {
	l, err := b.try(func(o *ledger.Options) {
		o.AnchorDir = filepath.Join(b.folder, "anchor of "+name)
		if change != nil {
			change(o)
		}
	})
	if err == nil {
		b.t.Cleanup(func() { l.Close() })
	}
	return l, err
}

func (b *bed) replicas(n int) []*ledger.Ledger {
	b.t.Helper()
	out := make([]*ledger.Ledger, n)
	for i := range out {
		var err error
		if out[i], err = b.replica(fmt.Sprint(i), nil); err != nil {
			b.t.Fatal(err)
		}
	}
	return out
}

// load is what many writers do to several replicas: each repeats a statement until it is
// acknowledged, as a pipeline does.
type load struct {
	b        *bed
	stop     atomic.Bool
	inFlight atomic.Int64
	wait     sync.WaitGroup
	mu       sync.Mutex
	acked    map[int64]verdict.Digest // guarded by mu
	faults   []error                  // guarded by mu: what writers were told
	twice    []int64                  // guarded by mu
}

func (b *bed) load(writers int, replicas ...*ledger.Ledger) *load {
	x := &load{b: b, acked: map[int64]verdict.Digest{}}
	for w := range writers {
		l := replicas[w%len(replicas)]
		x.wait.Go(func() {
			for !x.stop.Load() {
				x.one(l, b.other(200))
			}
		})
	}
	return x
}

// one appends one statement until it is acknowledged, also when the load is to end.
func (x *load) one(l *ledger.Ledger, s *evidence.Bundle) {
	x.inFlight.Add(1)
	defer x.inFlight.Add(-1)
	for range 300 {
		e, err := l.Append(context.Background(), s)
		x.mu.Lock()
		if err == nil {
			if _, known := x.acked[e.Index]; known {
				x.twice = append(x.twice, e.Index)
			}
			x.acked[e.Index] = s.PayloadDigest()
			x.mu.Unlock()
			return
		}
		x.faults = append(x.faults, err)
		x.mu.Unlock()
		time.Sleep(100 * time.Millisecond)
	}
}

func (x *load) acknowledged() int {
	x.mu.Lock()
	defer x.mu.Unlock()
	return len(x.acked)
}

// more waits until more was acknowledged.
func (x *load) more(t *testing.T, n int) {
	t.Helper()
	for until := time.Now().Add(60 * time.Second); x.acknowledged() < n; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatalf("only %d were acknowledged; last told: %v", x.acknowledged(), x.faults[max(0, len(x.faults)-1):])
		}
	}
}

// end stops the load and holds what was acknowledged against the log.
func (x *load) end(t *testing.T, replicas ...*ledger.Ledger) {
	t.Helper()
	x.stop.Store(true)
	x.wait.Wait()
	if len(x.twice) > 0 {
		t.Fatalf("entries %v were acknowledged for two statements", x.twice)
	}
	for _, f := range x.faults {
		if e := verdict.AsError(f); e == nil || e.Code != verdict.CodeUnavailable && e.Code != verdict.CodeConflict || e.Remedy == "" {
			t.Errorf("a writer was told: %v", f)
			break
		}
	}
	for _, l := range replicas {
		for index, digest := range x.acked {
			if e, err := l.Entry(t.Context(), index); err != nil || e.Digest != digest {
				t.Fatalf("entry %d was acknowledged and is lost: %+v, %v", index, e, err)
			}
		}
		// The writers repeat until they are answered, and no other writes: what is in the log
		// beyond that is a statement that was recorded twice.
		r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
		if err != nil || !r.Holds() {
			t.Fatalf("%+v, %v", r, err)
		}
		for _, k := range []verdict.Kind{verdict.KindTestResult} {
			all := 0
			for from := int64(0); ; {
				found, err := l.Find(t.Context(), ledger.Query{Kind: k, At: ledger.Now, Before: from, Limit: 1000})
				if err != nil {
					t.Fatal(err)
				}
				if len(found) == 0 {
					break
				}
				all, from = all+len(found), found[len(found)-1].Index
			}
			if all != len(x.acked) {
				t.Errorf("%d statements are in the log, and %d were acknowledged", all, len(x.acked))
			}
		}
	}
}

// times is how often a fault is done: a few times in every run, as the long one says else.
func times(few, many int) int {
	if os.Getenv("VERDICT_LONG") != "" {
		return many
	}
	return few
}

// Three machines, no leader: each has its own anchor, takes up what the others wrote, and
// notices alone when the database is set back.
func TestReplicasWithAnchorsOfTheirOwnAppendToOneLog(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		r := b.replicas(3)
		b.append(r[0], b.enrolment(b.key, b.key))
		x := b.load(9, r...)
		x.more(t, 60)
		x.end(t, r...)
		for i, l := range r {
			c, err := l.Checkpoint(t.Context())
			if err != nil || int(c.Size) < 61 {
				t.Errorf("replica %d: %+v, %v", i, c, err)
			}
			l.Close()
		}
		// An anchor is as new as what its replica acknowledged. All of them have seen more
		// than the first entry.
		tamper(t, b, `UPDATE log SET size = 1`)
		for i := range r {
			if _, err := b.replica(fmt.Sprint(i), nil); !errors.Is(err, ledger.ErrAnchor) {
				t.Errorf("replica %d opens a database that was set back: %v", i, err)
			}
		}
	})
}

// A replica that joins later has seen nothing of what was before: it may not say that all of
// it is as it was.
func TestAReplicaThatJoinsSaysWhatItHasNotSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		first := b.replicas(1)[0]
		b.append(first, b.enrolment(b.key, b.key))
		late, err := b.replica("late", nil)
		if err != nil {
			t.Fatal(err)
		}
		b.append(late, b.other(10))
		if r, err := late.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || r.Holds() || len(r.Problems) > 0 || len(r.Unchecked) != 1 {
			t.Errorf("who came late: %+v, %v", r, err)
		}
		if r, err := first.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() {
			t.Errorf("who was there from the beginning: %+v, %v", r, err)
		}
	})
}

// A replica with a key of its own would sign checkpoints that nobody accepts.
func TestAReplicaWithAnotherLogKeyIsRefused(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		b.begun()
		own, err := evidence.CreateLogKey(filepath.Join(b.folder, "own.pem"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = b.replica("stranger", func(o *ledger.Options) { o.LogKey = own })
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeConflict || !strings.Contains(e.Remedy, "--log-key") {
			t.Errorf("%v", err)
		}
	})
}

// printed when a fault test counted: what nobody sees, nobody misses.
const killedDatabase = "%s: %d kills, each with appends in flight (%d at least, %d processes of PostgreSQL on average); %d entries were acknowledged, none lost\n"

// PostgreSQL loses its power under load, again and again.
func TestADatabaseThatIsKilledLosesNothingThatWasAcknowledged(t *testing.T) {
	server := storetest.OwnPostgres(t)
	b := newBed(t)
	b.dsn = server.Database(t)
	r := b.replicas(2)
	b.append(r[0], b.enrolment(b.key, b.key))
	x := b.load(12, r...)
	kills := times(3, 20)
	least, processes := int64(1<<62), 0
	for range kills {
		x.more(t, x.acknowledged()+30)
		for x.inFlight.Load() == 0 {
			time.Sleep(time.Millisecond)
		}
		least = min(least, x.inFlight.Load())
		processes += server.Kill(t)
		server.Start(t)
	}
	x.more(t, x.acknowledged()+30)
	x.end(t, r...)
	fmt.Printf(killedDatabase, t.Name(), kills, least, processes/kills, len(x.acked))
}

// A cache that does not hear of what another replica wrote answers as if it had not been
// written: a key that was revoked there goes on signing here.
func TestWhatOneReplicaRecordsCountsOnTheOther(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		r := b.replicas(2)
		b.append(r[0], b.enrolment(b.key, b.key))
		second, err := evidence.CreateKey(filepath.Join(b.folder, "second.pem"))
		if err != nil {
			t.Fatal(err)
		}
		b.append(r[0], b.enrolment(second, b.key))
		b.append(r[1], b.sign(second, verdict.KindTestResult, map[string]any{"n": 1}, subject("x")))
		k, err := r[0].Keys(t.Context())
		if err != nil || len(k.Keys()) != 2 {
			t.Fatalf("%+v, %v", k, err)
		}
		enrolled, _ := k.Key(second.KeyID())
		b.append(r[0], b.sign(b.key, verdict.KindKey, identity.NewRevocation(enrolled, "stolen"), subject("key "+second.KeyID())))
		_, err = r[1].Append(t.Context(), b.sign(second, verdict.KindTestResult, map[string]any{"n": 2}, subject("x")))
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeRefused {
			t.Errorf("a key that the other replica revoked signs here: %v", err)
		}
		for _, l := range r {
			if _, found, err := l.Release(t.Context(), verdict.KindMapRelease, ledger.Now); found || err != nil {
				t.Fatalf("before a release: %v, %v", found, err)
			}
		}
		for i, l := range r {
			run := func(digest string) *evidence.Bundle {
				s := subject(digest)
				return b.sign(b.key, verdict.KindDeployment, verdict.Deployment{Environment: "prod", Service: "shop", Name: "shop", Digest: s.Digest, At: b.now()}, s)
			}
			b.append(l, run(fmt.Sprint("build ", i)))
			for j, reader := range r {
				rows, err := reader.Running(t.Context(), ledger.RunningQuery{Environment: "prod", At: ledger.Now})
				if err != nil || len(rows) != 1 || rows[0].Digest != subject(fmt.Sprint("build ", i)).Digest {
					t.Errorf("replica %d deployed build %d, replica %d says that %+v runs, %v", i, i, j, rows, err)
				}
			}
		}
	})
}

// Whoever waits for a connection waits as long as for an answer, and is told what to do.
func TestWithoutAFreeConnectionEverybodyIsToldSo(t *testing.T) {
	b := newBed(t)
	b.dsn = storetest.Postgres(t) + "&pool_max_conns=2&patience=1"
	l := b.begun()
	e, err := b.engine()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	release := make(chan struct{})
	var busy, held sync.WaitGroup
	for range 2 {
		busy.Add(1)
		held.Go(func() {
			e.Read(t.Context(), func(store.Reader) error { busy.Done(); <-release; return nil })
		})
	}
	busy.Wait()
	began := time.Now()
	err = e.Read(t.Context(), func(store.Reader) error { return nil })
	if x := verdict.AsError(err); x == nil || x.Code != verdict.CodeUnavailable || !strings.Contains(x.Remedy, "pool_max_conns") {
		t.Errorf("%v", err)
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
	close(release)
	held.Wait()
	if err := e.Read(t.Context(), func(store.Reader) error { return nil }); err != nil {
		t.Errorf("with free connections: %v", err)
	}
	b.append(l, b.other(10))
}
