//go:build unix

package cluster

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/blob/dir"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/postgres"
	"verdict/store/sqlite"
	"verdict/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }

// kills is how often each part is killed.
func kills() int {
	if os.Getenv("VERDICT_LONG") != "" {
		return 20
	}
	return 3
}

// pause is how long a replica is asleep.
func pause() time.Duration {
	if os.Getenv("VERDICT_LONG") != "" {
		return time.Minute
	}
	return 3 * time.Second
}

const writers = 24

// told is printed, so that whoever reads the log of a run sees that it happened.
const told = "%s: %d kills, each with requests in flight (%d at least); %d entries were acknowledged so far, %d requests had to be repeated\n"

func (x *load) tell(what string, n int, least int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	fmt.Printf(told, what, n, least, len(x.acked), x.repeats)
}

// Whoever was told that his evidence is recorded relies on it, whatever became of the
// replica that told him, and of the database.
func TestThreeReplicasOnPostgreSQLLoseAndDoubleNothing(t *testing.T) {
	server := storetest.OwnPostgres(t)
	h := newHouse(t)
	h.dsn = server.Database(t)
	h.objects()
	r := []*replica{h.replica("one"), h.replica("two"), h.replica("three")}
	for _, x := range r {
		x.start()
	}
	x := h.load(writers, r...)
	n := kills()

	least := int64(1 << 62)
	for i := range n {
		least = min(least, x.more(40))
		r[i%3].kill()
		x.more(20) // the others go on
		r[i%3].start()
	}
	x.tell("one of three replicas", n, least)

	least = 1 << 62
	for range n {
		least = min(least, x.more(40))
		server.Kill(t)
		server.Start(t)
	}
	x.tell("PostgreSQL", n, least)

	for i := range max(1, n/10) {
		least := x.more(40)
		began := time.Now()
		r[i%3].signal(syscall.SIGSTOP)
		x.more(20) // the others go on, at the latest when the database ends its session
		others := time.Since(began)
		time.Sleep(pause() - others)
		r[i%3].signal(syscall.SIGCONT)
		fmt.Printf("one of three replicas: paused for %s with %d requests in flight; the others went on after %s\n", pause(), least, others.Round(time.Millisecond))
	}

	before := x.repeats
	for _, one := range r {
		x.more(40)
		one.stop()
		one.start()
	}
	x.more(40)
	fmt.Printf("rolling restart of three replicas under load: %d requests had to be repeated\n", x.repeats-before)
	x.end()
	h.holds(t, r[0], x.acked)
	for _, one := range r {
		one.stop()
	}
	r[0].verify()
}

// One machine, one file: the way most begin.
func TestOneServerOnItsFileLosesAndDoublesNothing(t *testing.T) {
	h := newHouse(t)
	r := h.replica("one")
	r.start()
	x := h.load(writers, r)
	n, least := kills(), int64(1<<62)
	for range n {
		least = min(least, x.more(40))
		r.kill()
		r.start()
	}
	x.tell("the only server, on SQLite", n, least)
	x.more(40)
	r.stop()
	r.start()
	x.more(40)
	x.end()
	h.holds(t, r, x.acked)
	r.stop()
	r.verify()
}

// holds counts what was acknowledged against what is there: each once, in its place, and
// nothing beside, since every writer repeated what he was not told of.
func (h *house) holds(t *testing.T, r *replica, acked map[int64]verdict.Digest) {
	t.Helper()
	l := h.open(r)
	defer l.Close()
	there := map[int64]verdict.Digest{}
	for before := int64(0); ; {
		found, err := l.Find(t.Context(), ledger.Query{Kind: verdict.KindTestResult, At: ledger.Now, Before: before, Limit: 5000})
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range found {
			there[e.Index], before = e.Digest, e.Index
		}
		if len(found) == 0 {
			break
		}
	}
	seen := map[verdict.Digest]int64{}
	for index, digest := range there {
		if first, twice := seen[digest]; twice {
			t.Errorf("entries %d and %d are the same statement", first, index)
		}
		seen[digest] = index
	}
	for index, digest := range acked {
		if there[index] != digest {
			t.Errorf("entry %d was acknowledged and is lost", index)
		}
	}
	if len(there) != len(acked) {
		t.Errorf("%d statements are in the log, and %d were acknowledged", len(there), len(acked))
	}
	fmt.Printf("%s: %d entries were acknowledged, each is there once\n", t.Name(), len(acked))
}

// open opens the ledger beside the servers.
func (h *house) open(r *replica) *ledger.Ledger {
	h.t.Helper()
	must := func(err error) {
		if err != nil {
			h.t.Helper()
			h.t.Fatal(err)
		}
	}
	var e store.Engine
	var err error
	if h.dsn != "" {
		e, err = postgres.Open(h.t.Context(), h.dsn)
	} else {
		e, err = sqlite.Open(h.t.Context(), filepath.Join(r.data(), "ledger.db"), sqlite.Options{})
	}
	must(err)
	s, err := store.New(h.t.Context(), e)
	must(err)
	blobs, err := dir.Open(filepath.Join(r.data(), "blobs"), dir.Options{}) // bodies are for log verify
	must(err)
	key, err := evidence.OpenLogKey(h.logKey())
	must(err)
	l, err := ledger.Open(h.t.Context(), ledger.Options{Store: s, Blobs: blobs, LogKey: key, AnchorDir: filepath.Join(r.state(), "verdict", "anchor")})
	must(err)
	return l
}
