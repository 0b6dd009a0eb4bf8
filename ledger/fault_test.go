package ledger_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/evidence"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/sqlite"
	"verdict/store/storetest"
)

func TestTwoProcessesAppendToOneDatabase(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		one := b.begun()
		two := b.open()
		defer two.Close()
		var wait sync.WaitGroup
		var mu sync.Mutex
		seen := map[int64]bool{}
		const writers, each = 8, 15
		for w := range writers {
			l := []*ledger.Ledger{one, two}[w%2]
			wait.Go(func() {
				for range each {
					e, err := l.Append(t.Context(), b.other(50))
					mu.Lock()
					if err != nil || seen[e.Index] {
						t.Errorf("entry %d, seen before: %v, %v", e.Index, seen[e.Index], err)
					}
					seen[e.Index] = true
					mu.Unlock()
				}
			})
		}
		wait.Wait()
		key, err := evidence.CreateKey(filepath.Join(b.folder, "second.pem"))
		if err != nil {
			t.Fatal(err)
		}
		b.append(one, b.enrolment(key, b.key))
		b.append(two, b.sign(key, verdict.KindTestResult, map[string]any{}, subject("x"))) // enrolled by the other process
		for _, l := range []*ledger.Ledger{one, two} {
			r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true})
			if err != nil || !r.Holds() || r.Verified != 1+writers*each+2 {
				t.Errorf("%+v, %v", r, err)
			}
		}
	})
}

func TestConnectionsThatWereEndedAreReplaced(t *testing.T) {
	b := newBed(t)
	b.dsn = storetest.Postgres(t)
	l := b.begun()
	for range 3 {
		if _, err := l.Find(t.Context(), ledger.Query{At: ledger.Now}); err != nil {
			t.Fatal(err)
		}
		tamper(t, b, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'`)
		b.append(l, b.other(10))
	}
	tamper(t, b, `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database() AND backend_type = 'client backend'`)
	if _, err := l.Find(t.Context(), ledger.Query{At: ledger.Now}); verdict.AsError(err) != nil && verdict.AsError(err).Code != verdict.CodeUnavailable {
		t.Errorf("a question on a connection that ended: %v", err)
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Verified != 4 {
		t.Errorf("%+v, %v", r, err)
	}
}

// breaking is an engine whose next commit goes wrong.
type breaking struct {
	store.Engine
	before, after error // instead of the commit, or behind it
	always        error // instead of each commit
}

func (e *breaking) Write(ctx context.Context, plan func(store.Reader) ([]store.Statement, error)) error {
	before, after := e.before, e.after
	e.before, e.after = nil, nil
	if e.always != nil {
		before = e.always
	}
	if before != nil {
		return e.Engine.Write(ctx, func(r store.Reader) ([]store.Statement, error) {
			if _, err := plan(r); err != nil {
				return nil, err
			}
			return nil, before
		})
	}
	if err := e.Engine.Write(ctx, plan); err != nil {
		return err
	}
	return after
}

func TestACommitWhoseFateIsUnknownIsLookedUp(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		real, err := b.engine()
		if err != nil {
			t.Fatal(err)
		}
		broken := &breaking{Engine: real}
		b.engine = func() (store.Engine, error) { return broken, nil }
		l := b.begun()
		for i, fault := range []func(){
			func() { broken.after = fmt.Errorf("%w: connection lost", store.ErrAmbiguous) },
			func() { broken.before = fmt.Errorf("%w: connection lost", store.ErrAmbiguous) },
			func() { broken.before = fmt.Errorf("%w: somebody was quicker", store.ErrFence) },
		} {
			fault()
			if e := b.append(l, b.other(10)); e.Index != int64(i+1) {
				t.Errorf("fault %d: entry %d", i, e.Index)
			}
		}
		broken.always = fmt.Errorf("%w: connection lost", store.ErrAmbiguous)
		if _, err := l.Append(t.Context(), b.other(10)); verdict.AsError(err).Code != verdict.CodeUnavailable || !strings.Contains(err.Error(), "cannot be told") {
			t.Errorf("the database never says what became of it: %v", err)
		}
		broken.always = nil
		broken.before = errors.New("no")
		if _, err := l.Append(t.Context(), b.other(10)); err == nil {
			t.Error("acknowledged although nothing was written")
		}
		b.append(l, b.other(10))
		if r, err := l.Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !r.Holds() || r.Verified != 5 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// fullDisk appends until there is no space, and then makes some.
func fullDisk(t *testing.T, b *bed, l *ledger.Ledger, makeSpace func() *ledger.Ledger) {
	t.Helper()
	var acknowledged []ledger.Entry
	var err error
	for range 5000 {
		noise := make([]byte, 3<<10)
		if _, err := noiseSource.Read(noise); err != nil {
			t.Fatal(err)
		}
		var e ledger.Entry
		if e, err = l.Append(t.Context(), b.sign(b.key, verdict.KindTestResult, map[string]any{"noise": noise}, subject("x"))); err != nil {
			break
		}
		acknowledged = append(acknowledged, e)
	}
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, "space") {
		t.Fatalf("after %d entries: %v", len(acknowledged), err)
	}
	if _, err := l.Find(t.Context(), ledger.Query{At: ledger.Now, Limit: 1}); err != nil {
		t.Errorf("a question on a full disk: %v", err)
	}
	l = makeSpace()
	b.append(l, b.other(10))
	for _, e := range acknowledged {
		if got, err := l.Entry(t.Context(), e.Index); err != nil || got.Digest != e.Digest {
			t.Errorf("entry %d was acknowledged and is lost: %v", e.Index, err)
		}
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true}); err != nil || !r.Holds() {
		t.Errorf("%+v, %v", r, err)
	}
	t.Logf("%d entries until the disk was full", len(acknowledged))
}

var noiseSource = rand.NewChaCha8([32]byte{2})

func TestADatabaseAtItsPageLimitSaysSoAndLosesNothing(t *testing.T) {
	b := newBed(t)
	pages := int64(200)
	b.engine = func() (store.Engine, error) {
		return sqlite.Open(context.Background(), b.database(), sqlite.Options{MaxPages: pages})
	}
	l := b.begun()
	fullDisk(t, b, l, func() *ledger.Ledger {
		l.Close()
		pages = 100_000
		l := b.open()
		t.Cleanup(func() { l.Close() })
		return l
	})
}

func TestAFullFileSystemIsSaidAndLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP tmpfs: only root may mount one")
	}
	mount := filepath.Join(t.TempDir(), "small")
	if err := os.Mkdir(mount, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=3m"); err != nil {
		t.Skipf("SKIP tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, 0) })
	b := newBed(t)
	b.engine = func() (store.Engine, error) {
		return sqlite.Open(context.Background(), filepath.Join(mount, "ledger.db"), sqlite.Options{})
	}
	l := b.begun()
	fullDisk(t, b, l, func() *ledger.Ledger {
		if err := syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT, "size=64m"); err != nil {
			t.Fatal(err)
		}
		return l
	})
}

func init() { children["limited"] = limitedChild }

// limitedChild appends under a file size limit, prints what was acknowledged and how it
// ended, then goes on without the limit.
func limitedChild() int {
	b := childBed()
	l, err := b.try(nil)
	if err != nil {
		fmt.Println("open", err)
		return 1
	}
	limit := syscall.Rlimit{Cur: 2 << 20, Max: 1<<64 - 1}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println("limit", err)
		return 1
	}
	for {
		e, err := l.Append(context.Background(), b.other(6000))
		if err != nil {
			fmt.Printf("refused %s %q\n", verdict.AsError(err).Code, verdict.AsError(err).Remedy)
			break
		}
		fmt.Println("ack", e.Index, e.Digest)
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit); err != nil {
		fmt.Println("limit", err)
		return 1
	}
	e, err := l.Append(context.Background(), b.other(10))
	fmt.Println("ack", e.Index, e.Digest, err)
	if err := l.Close(); err != nil {
		fmt.Println("close", err)
		return 1
	}
	return 0
}

// child starts this test program as one of its children on the bed of b.
func (b *bed) child(name string, args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0])
	c.Env = append(os.Environ(), "LEDGER_TEST_CHILD="+name, "LEDGER_TEST_FOLDER="+b.folder, "LEDGER_TEST_DSN="+b.dsn, "LEDGER_TEST_ARGS="+strings.Join(args, " "))
	return c
}

// childBed is the bed of the parent, in the child.
func childBed() *bed {
	b := &bed{t: &testing.B{}, folder: os.Getenv("LEDGER_TEST_FOLDER"), dsn: os.Getenv("LEDGER_TEST_DSN")}
	b.clock.Store(time.Now().UnixMicro())
	b.serial.Store(int64(os.Getpid()) << 32)
	var err, err2 error
	b.key, err = evidence.OpenKey(filepath.Join(b.folder, "key.pem"))
	b.log, err2 = evidence.OpenLogKey(filepath.Join(b.folder, "log.pem"))
	if err := errors.Join(err, err2); err != nil {
		panic(err)
	}
	b.connect()
	return b
}

// acks reads the lines by which a child says what was acknowledged.
func acks(t *testing.T, out []byte) map[int64]verdict.Digest {
	t.Helper()
	found := map[int64]verdict.Digest{}
	for line := range bytes.Lines(out) {
		if f := strings.Fields(string(line)); len(f) >= 3 && f[0] == "ack" && bytes.HasSuffix(line, []byte("\n")) {
			index, err := strconv.ParseInt(f[1], 10, 64)
			if err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			found[index] = verdict.Digest(f[2])
		}
	}
	return found
}

func (b *bed) holds(t *testing.T, acknowledged map[int64]verdict.Digest, signatures bool) {
	t.Helper()
	l := b.open()
	defer l.Close()
	for index, digest := range acknowledged {
		if e, err := l.Entry(t.Context(), index); err != nil || e.Digest != digest {
			t.Fatalf("entry %d was acknowledged and is lost: %+v, %v", index, e, err)
		}
	}
	r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: signatures})
	if err != nil || !r.Holds() {
		t.Fatalf("%+v, %v", r, err)
	}
}

func TestAFileSizeLimitIsSaidAndLosesNothing(t *testing.T) {
	b := newBed(t)
	b.begun().Close()
	out, err := b.child("limited").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("refused unavailable")) {
		t.Fatalf("%v\n%s", err, out)
	}
	acknowledged := acks(t, out)
	if len(acknowledged) < 10 {
		t.Fatalf("only %d were acknowledged:\n%s", len(acknowledged), out)
	}
	b.holds(t, acknowledged, true)
}

func init() { children["load"] = loadChild }

// loadChild appends from many goroutines until it is killed. It says when an append
// begins and when it was acknowledged.
func loadChild() int {
	b := childBed()
	l, err := b.try(nil)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for range 16 {
		go func() {
			for {
				x := b.other(200 + rand.IntN(4000))
				os.Stdout.WriteString("try\n")
				e, err := l.Append(context.Background(), x)
				if err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
				os.Stdout.WriteString(fmt.Sprintln("ack", e.Index, e.Digest))
			}
		}()
	}
	select {}
}

// survived is printed by the long tests: what nobody sees, nobody misses.
const survived = "%s: %d kills, each with appends in flight (%d at least, %d on average); %d entries were acknowledged, none lost\n"

func TestTheLongTestsShowHowManyKillsTheLedgerSurvived(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "Makefile"))
	if err != nil {
		t.Fatal(err)
	}
	shown := regexp.MustCompile(`(?m)^\tgrep -E '(.*)' bin/test.log; \\$`).FindSubmatch(text)
	if shown == nil || !regexp.MustCompile(string(shown[1])).MatchString(fmt.Sprintf(survived, t.Name(), 50, 1, 2, 3)) {
		t.Errorf("make test-long shows nothing of it: %s", shown)
	}
}

// Whoever was told that his evidence is recorded relies on it: a crash must not take it.
func TestAKilledProcessLosesNothingThatWasAcknowledged(t *testing.T) {
	kills := 5
	if os.Getenv("VERDICT_LONG") != "" {
		kills = 50
	}
	onBoth(t, func(t *testing.T, b *bed) {
		b.begun().Close()
		everything := map[int64]verdict.Digest{}
		total, least := 0, 1<<30
		for n := 0; n < kills; {
			inFlight := b.kill(t, everything)
			if inFlight == 0 {
				continue // between two batches: that kill proves nothing
			}
			n++
			total += inFlight
			least = min(least, inFlight)
			b.holds(t, everything, n == kills)
		}
		fmt.Printf(survived, t.Name(), kills, least, total/kills, len(everything))
	})
}

// kill runs a load, kills it at a random moment, and gives how many appends were in
// flight. What was acknowledged is added.
func (b *bed) kill(t *testing.T, acknowledged map[int64]verdict.Digest) int {
	t.Helper()
	c := b.child("load")
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	working := make(chan struct{})
	go func() {
		var all bytes.Buffer
		buf := make([]byte, 64<<10)
		said := false
		for {
			n, err := out.Read(buf)
			all.Write(buf[:n])
			if !said && bytes.Contains(all.Bytes(), []byte("ack")) {
				said = true
				close(working)
			}
			if err != nil {
				read <- all.Bytes()
				return
			}
		}
	}()
	select {
	case <-working:
	case <-time.After(60 * time.Second):
		c.Process.Kill()
		t.Fatalf("the load did not begin: %s", complaint.String())
	}
	time.Sleep(time.Duration(rand.IntN(150)) * time.Millisecond)
	if err := c.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	said := <-read
	c.Wait()
	if complaint.Len() > 0 {
		t.Fatalf("the load ended by itself: %s", complaint.String())
	}
	found := acks(t, said)
	for index, digest := range found {
		if before, twice := acknowledged[index]; twice {
			t.Fatalf("entry %d was acknowledged twice, as %s and as %s", index, before, digest)
		}
		acknowledged[index] = digest
	}
	return bytes.Count(said, []byte("try\n")) - len(found)
}
