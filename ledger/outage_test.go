//go:build unix

package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"verdict"
	"verdict/ledger"
	"verdict/store"
	"verdict/store/storetest"
)

func init() { children["stopped"] = stoppedChild }

// stopping is an engine whose process stops in the middle of its next append: the lock is
// held, everything was read, and nothing was written.
type stopping struct {
	store.Engine
	armed atomic.Bool
}

func (e *stopping) Write(ctx context.Context, plan func(store.Reader) ([]store.Statement, error)) error {
	return e.Engine.Write(ctx, func(r store.Reader) ([]store.Statement, error) {
		s, err := plan(r)
		if len(s) > 0 && e.armed.CompareAndSwap(true, false) {
			woken := make(chan os.Signal, 1)
			signal.Notify(woken, syscall.SIGCONT)
			fmt.Println("stops")
			syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			<-woken // a process stops a moment after it was told, and this goes on no further
		}
		return s, err
	})
}

// stoppedChild appends once, stops in the middle of it, and says where it was recorded.
func stoppedChild() int {
	b := childBed()
	real, err := b.engine()
	if err != nil {
		fmt.Println(err)
		return 1
	}
	e := &stopping{Engine: real}
	b.engine = func() (store.Engine, error) { return e, nil }
	l, err := b.try(nil)
	if err != nil {
		fmt.Println(err)
		return 1
	}
	e.armed.Store(true)
	x, err := l.Append(context.Background(), b.other(10))
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("ack", x.Index, x.Digest)
	l.Close()
	return 0
}

// A machine that was asleep believes that nothing happened meanwhile. What it writes on
// that belief would fork the log.
func TestAReplicaThatWasPausedInAnAppendWritesNothingOnWhatItKnewBefore(t *testing.T) {
	b := newBed(t)
	b.dsn = storetest.Postgres(t)
	pause := 4 * time.Second
	if os.Getenv("VERDICT_LONG") != "" {
		pause = time.Minute // with the patience that a user has
	} else {
		b.dsn += "&patience=4"
	}
	l := b.begun()
	c := b.child("stopped")
	var complaint bytes.Buffer
	c.Stderr = &complaint
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Process.Kill() })
	said := bufio.NewReader(out)
	if line, err := said.ReadString('\n'); line != "stops\n" {
		t.Fatalf("%q, %v, %s", line, err, complaint.String())
	}
	began := time.Now()
	for range 5 {
		b.append(l, b.other(10)) // waits for the lock until the database ends the other's session
	}
	waited := time.Since(began)
	time.Sleep(pause - waited)
	if err := c.Process.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	line, err := io.ReadAll(said)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s%s", err, line, complaint.String())
	}
	acknowledged := acks(t, line)
	for index := range acknowledged {
		if index < 6 {
			t.Errorf("it woke up and wrote entry %d, which others had written meanwhile", index)
		}
	}
	if err != nil || len(acknowledged) != 1 {
		t.Errorf("after it woke up: %s, %v", line, err)
	}
	b.holds(t, acknowledged, true)
	t.Logf("others waited %s for the lock of a replica that was paused for %s", waited.Round(time.Millisecond), pause)
}

// hole is a network between a replica and its database that can swallow everything.
type hole struct {
	listener net.Listener
	to       string
	mu       sync.Mutex
	open     *sync.Cond // of mu
	swallows bool       // guarded by mu
}

func newHole(t *testing.T, socket string) *hole {
	t.Helper()
	n, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h := &hole{listener: n, to: socket}
	h.open = sync.NewCond(&h.mu)
	t.Cleanup(func() { h.swallow(false); n.Close() })
	go func() {
		for {
			c, err := n.Accept()
			if err != nil {
				return
			}
			go h.pass(c)
		}
	}()
	return h
}

func (h *hole) pass(c net.Conn) {
	defer c.Close()
	d, err := net.Dial("unix", h.to)
	if err != nil {
		return
	}
	defer d.Close()
	go func() { h.copy(d, c); d.Close(); c.Close() }()
	h.copy(c, d)
}

// copy keeps back what it read while everything is swallowed, as a network does that
// delivers late.
func (h *hole) copy(to, from net.Conn) {
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		h.mu.Lock()
		for h.swallows {
			h.open.Wait()
		}
		h.mu.Unlock()
		if _, failed := to.Write(buffer[:n]); err != nil || failed != nil {
			return
		}
	}
}

func (h *hole) swallow(yes bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.swallows = yes
	h.open.Broadcast()
}

// through is the address of the same database through the hole.
func (h *hole) through(t *testing.T, dsn string) string {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(h.listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	q.Set("host", host)
	q.Set("port", port)
	q.Set("sslmode", "disable")
	q.Set("patience", "2")
	u.RawQuery = q.Encode()
	return u.String()
}

// Between a replica and its database everything is swallowed, commits too. Nobody waits
// longer than the patience says, and nobody takes silence for an answer.
func TestANetworkThatSwallowsEverythingIsSaidWithinSeconds(t *testing.T) {
	server := storetest.OwnPostgres(t)
	b := newBed(t)
	direct := server.Database(t)
	h := newHole(t, server.Socket())
	b.dsn = h.through(t, direct)
	behind := b.replicas(1)[0]
	b.dsn = direct
	other := b.replicas(1)[0]
	b.append(behind, b.enrolment(b.key, b.key))
	x := b.load(6, behind)
	for range times(2, 20) {
		x.more(t, x.acknowledged()+20)
		h.swallow(true) // with appends in flight: some of them wait for the answer to a commit
		at, err := other.Position(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		asked := map[string]func() error{
			"a question": func() error {
				_, err := behind.Find(t.Context(), ledger.Query{At: ledger.Now})
				return err
			},
			"an append": func() error { _, err := behind.Append(t.Context(), b.other(10)); return err },
			"a follower": func() error {
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
				defer cancel()
				_, err := behind.Wait(ctx, at+1000)
				if ctx.Err() != nil {
					return fmt.Errorf("it was told nothing: %v", ctx.Err())
				}
				return err
			},
		}
		var wait sync.WaitGroup
		for name, ask := range asked {
			wait.Go(func() {
				began := time.Now()
				err := ask()
				if took := time.Since(began); err == nil || took > 30*time.Second {
					t.Errorf("%s: answered %v after %s", name, err, took)
				}
				if e := verdict.AsError(err); name != "a follower" && (e == nil || e.Code != verdict.CodeUnavailable || e.Remedy == "") {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wait.Wait()
		b.append(other, b.sign(b.key, verdict.KindSBOM, map[string]any{"n": b.serial.Add(1)}, subject("of another replica")))
		h.swallow(false)
	}
	x.more(t, x.acknowledged()+20)
	x.stop.Store(true)
	x.wait.Wait()
	b.keeps(t, x.acked, other)
}

// keeps holds what was acknowledged against a ledger that is open.
func (b *bed) keeps(t *testing.T, acknowledged map[int64]verdict.Digest, l *ledger.Ledger) {
	t.Helper()
	for index, digest := range acknowledged {
		if e, err := l.Entry(t.Context(), index); err != nil || e.Digest != digest {
			t.Fatalf("entry %d was acknowledged and is lost: %+v, %v", index, e, err)
		}
	}
	if r, err := l.Verify(t.Context(), ledger.VerifyOptions{Signatures: true}); err != nil || !r.Holds() {
		t.Fatalf("%+v, %v", r, err)
	}
}

// A clock that was set back, or a replica whose clock is wrong: recorded times never run
// backwards, or a question about a day would give what was recorded after it.
func TestAClockThatIsSetBackMovesNoEntryBeforeTheOneInFront(t *testing.T) {
	onBoth(t, func(t *testing.T, b *bed) {
		var told bytes.Buffer
		r := b.replicas(1)
		l, err := b.replica("late", func(o *ledger.Options) {
			o.Logger = slog.New(slog.NewTextHandler(&told, nil))
			o.Now = func() time.Time { return b.now().Add(-time.Hour) }
		})
		if err != nil {
			t.Fatal(err)
		}
		b.append(r[0], b.enrolment(b.key, b.key))
		last := b.append(r[0], b.other(10))
		for range 3 {
			e := b.append(l, b.other(10))
			if e.At.Before(last.At) {
				t.Errorf("entry %d was recorded at %s, and the one in front at %s", e.Index, e.At, last.At)
			}
			last = e
		}
		if e := b.append(r[0], b.other(10)); !e.At.After(last.At) {
			t.Errorf("by the right clock: %s after %s", e.At, last.At)
		}
		if n := strings.Count(told.String(), "set the clock"); n != 1 {
			t.Errorf("it was told %d times:\n%s", n, told.String())
		}
		if x, err := r[0].Verify(t.Context(), ledger.VerifyOptions{}); err != nil || !x.Holds() {
			t.Errorf("%+v, %v", x, err)
		}
	})
}

// The disk of the database runs full under load.
func TestAFullDiskOfPostgreSQLIsSaidAndLosesNothing(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("SKIP tmpfs: only root may mount one")
	}
	mount, err := os.MkdirTemp("", "full")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(mount) })
	if err := syscall.Mount("tmpfs", mount, "tmpfs", 0, "size=100m,mode=777"); err != nil {
		t.Skipf("SKIP tmpfs: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(mount, syscall.MNT_DETACH) })
	b := newBed(t)
	t.Setenv("TMPDIR", mount)
	server := storetest.OwnPostgres(t)
	b.dsn = server.Database(t)
	l := b.replicas(1)[0]
	b.append(l, b.enrolment(b.key, b.key))
	acknowledged := map[int64]verdict.Digest{}
	noise := make([]byte, 100<<10)
	for range 3000 {
		if _, err = noiseSource.Read(noise); err != nil {
			t.Fatal(err)
		}
		var e ledger.Entry
		if e, err = l.Append(t.Context(), b.sign(b.key, verdict.KindTestResult, map[string]any{"noise": noise}, subject("x"))); err != nil {
			break
		}
		acknowledged[e.Index] = e.Digest
	}
	if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || e.Remedy == "" {
		t.Fatalf("after %d entries: %v", len(acknowledged), err)
	}
	t.Logf("after %d entries: %v", len(acknowledged), err)
	if err := syscall.Mount("tmpfs", mount, "tmpfs", syscall.MS_REMOUNT, "size=400m,mode=777"); err != nil {
		t.Fatal(err)
	}
	// The database may have ended itself: without space for its log it can do nothing.
	server.Kill(t)
	server.Start(t)
	e := b.append(l, b.other(10))
	acknowledged[e.Index] = e.Digest
	b.keeps(t, acknowledged, l)
}
