package server

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"verdict"
	"verdict/evidence"
)

// ok fails the test unless somebody else is answered.
func (x *live) ok(path string) {
	x.t.Helper()
	c := x.dial("127.0.0.9", "GET "+path+" HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n"+dev+"\r\n\r\n")
	if got := statuses(c); len(got) != 1 || got[0] != 200 {
		x.t.Errorf("somebody else is answered %v for %s", got, path)
	}
}

// within fails the test unless the server hangs up in time, by the clock of a bubble; it gives what
// came until then.
func (x *live) within(c net.Conn, most time.Duration) []byte {
	x.t.Helper()
	began := time.Now()
	_ = c.SetReadDeadline(began.Add(time.Minute))
	b, _ := io.ReadAll(c)
	if took := time.Since(began); took > most {
		x.t.Errorf("the server hangs up after %s", took)
	}
	return b
}

// Who sends the headers of a request a byte at a time, and never their end, loses the connection;
// so does who never says how he speaks TLS.
func TestHeadersThatComeSlowlyAreCutOff(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{Headers: 400 * time.Millisecond})
		echo(&done)(s)
		x := liveInMemory(t, s, nil)
		c := x.dial("127.0.0.1", "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\nX: ")
		var sender sync.WaitGroup
		sender.Go(func() {
			for range 200 {
				if _, err := c.Write([]byte("y")); err != nil {
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		})
		x.ok("/api/v1/open")
		x.within(c, time.Second)
		sender.Wait()
	})
	synctest.Test(t, func(t *testing.T) {
		x := liveInMemory(t, made(t, Limits{Headers: 400 * time.Millisecond}), testTLS(t))
		x.within(x.dial("127.0.0.1", "\x16\x03\x01"), time.Second)
		x.within(x.dial("127.0.0.1", ""), time.Second)
	})
}

// A connection on which nothing comes between requests is given up.
func TestAnIdleConnectionEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{Idle: 300 * time.Millisecond})
		echo(&done)(s)
		x := liveInMemory(t, s, nil)
		c := x.dial("127.0.0.1", "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n\r\n")
		if got := x.within(c, time.Second); !bytes.HasPrefix(got, []byte("HTTP/1.1 200")) {
			t.Errorf("%.100s", got)
		}
	})
}

// entries appends so many, which are about a service.
func (x *live) entries(n int, service string) {
	x.t.Helper()
	d := &door{t: x.t, ledger: x.o.Ledger, now: time.Now()}
	key, err := evidence.CreateKey(filepath.Join(x.t.TempDir(), "local.key"))
	d.must(err)
	d.key = key
	d.enroll("local", key)
	var all []*evidence.Bundle
	for i := range n {
		all = append(all, d.signed(verdict.KindOutcome, map[string]any{"n": i, "text": strings.Repeat("x", 100)}, key, verdict.Context{Service: service}))
	}
	for len(all) > 0 {
		some := all[:min(len(all), 100)]
		_, err = x.o.Ledger.AppendAll(x.t.Context(), some)
		d.must(err)
		all = all[len(some):]
	}
}

// Whoever asks for much and does not take it holds what was read for him in memory. He is given
// up as soon as he is behind by what he may be; who takes it slowly, and steadily, gets it.
func TestWhoDoesNotTakeALargeAnswerIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{Lag: 500 * time.Millisecond, Request: 20 * time.Second})
		echo(&done)(s)
		s.LedgerRoutes(LedgerOptions{})
		s.Handle("GET /much", Operation{ID: "much", Public: true}, http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 200<<10)) }))
		x := liveInMemory(t, s, nil)
		x.entries(600, "shop")
		blob, err := x.o.Ledger.PutBlob(t.Context(), make([]byte, 3<<20))
		if err != nil {
			t.Fatal(err)
		}
		paths := []string{"/api/v1/entries", "/api/v1/log/entries?from=0", "/api/v1/blobs/" + string(blob)}
		var all []net.Conn
		for _, path := range paths {
			for range 2 * largeBlobs {
				all = append(all, x.dial("127.0.0.1", "GET "+path+" HTTP/1.1\r\nHost: verdict.test\r\n"+dev+"\r\n\r\n"))
			}
		}
		synctest.Wait()
		if len(x.busy) == 0 {
			t.Error("the answers did not begin")
		}
		x.ok("/api/v1/open")
		began := time.Now()
		eventually(t, "who does not read holds his place", func() bool { return len(x.busy) == 0 })
		if took := time.Since(began); took > 5*time.Second {
			t.Errorf("who does not read holds his place for %s", took)
		}
		for _, path := range paths {
			x.ok(path)
		}
		for _, c := range all {
			if got := x.within(c, 5*time.Second); bytes.HasSuffix(got, []byte("}\n")) || len(got) > 2<<20 {
				t.Errorf("an answer of %d bytes was kept for who did not read", len(got))
			}
		}

		c, took := x.dial("127.0.0.1", "GET /much HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n\r\n"), 0
		for { // 16 KiB in 100 ms are twice as much as he has to take
			n, err := io.CopyN(io.Discard, c, 16<<10)
			if took += int(n); err != nil {
				break
			}
			time.Sleep(100 * time.Millisecond)
		}
		if took < 200<<10 {
			t.Errorf("who takes it steadily got %d bytes", took)
		}
	})
}

// Who listens to live events and stops reading is given up, and the others hear of what is new.
func TestAStreamThatNobodyReadsEnds(t *testing.T) {
	var done atomic.Int64
	x := liveServer(t, Limits{Beat: time.Second}, func(s *Server) {
		echo(&done)(s)
		s.LedgerRoutes(LedgerOptions{})
	})
	const listen = "GET /api/v1/events HTTP/1.1\r\nHost: verdict.test\r\n" + dev + "\r\n\r\n"
	x.dial("127.0.0.1", listen) // and reads nothing
	hears := bufio.NewReader(x.dial("127.0.0.1", listen))
	eventually(t, "the streams did not open", func() bool { return len(x.streams) == 2 })
	heard := make(chan int)
	go func() {
		n := 0
		for n < 1000 {
			line, err := hears.ReadString('\n')
			if err != nil {
				break
			}
			n += strings.Count(line, `"index":`)
		}
		heard <- n
	}()
	x.entries(1000, "a-service-with-a-long-name-"+strings.Repeat("y", 150))
	if n := <-heard; n < 1000 {
		t.Errorf("who listens heard of %d entries", n)
	}
	eventually(t, "the stream that nobody reads goes on", func() bool { return len(x.streams) == 1 })
}

// Bytes that are not those of their digest are kept under neither digest, and what says that it is
// larger than a blob may be is refused before any of it is read.
func TestABlobUnderAWrongDigestIsNotKept(t *testing.T) {
	x := liveServer(t, Limits{}, func(s *Server) { s.LedgerRoutes(LedgerOptions{}) })
	h := httptestOf(t, x)
	for _, size := range []int{10, 3 << 20} {
		body := strings.Repeat("x", size)
		right, wrong := string(sumOf([]byte(body))), string(sumOf([]byte("y")))
		if status, text, _ := ask(t, h, "PUT", Prefix+"/blobs/"+wrong, body, dev); status != 422 || !strings.Contains(text, right) {
			t.Errorf("%d bytes under a wrong digest: %d %s", size, status, text)
		}
		for _, digest := range []string{right, wrong} {
			if status, _, _ := ask(t, h, "GET", Prefix+"/blobs/"+digest, "", dev); status != 404 {
				t.Errorf("%d bytes are there under %s: %d", size, digest, status)
			}
		}
	}
	c := x.dial("127.0.0.1", fmt.Sprintf("PUT %s/blobs/%s HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n%s\r\nContent-Length: %d\r\n\r\n", Prefix, sumOf(nil), dev, maxBlob+1))
	_ = c.(*net.TCPConn).CloseWrite()
	if got := statuses(c); len(got) != 1 || got[0] != 413 {
		t.Errorf("a blob that is too large is answered %v", got)
	}
}

// Whoever opens all the connections that a server takes would keep everybody out: one address has
// a part of them, who is too many is told, and operators see it.
func TestConnectionsAreBounded(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{Connections: 6, PerAddress: 3})
	s.o.Proxies = []netip.Prefix{netip.MustParsePrefix("127.0.0.7/32")}
	echo(&done)(s)
	x := liveOn(t, s, nil)
	const get = "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n\r\n"
	opened := func(from string, n int) (out []net.Conn) {
		t.Helper()
		for range n {
			c := x.dial(from, get)
			if res, err := http.ReadResponse(bufio.NewReader(c), nil); err != nil || res.StatusCode != 200 {
				t.Fatalf("a connection from %s that is not too many: %v %v", from, res, err)
			}
			out = append(out, c)
		}
		return out
	}
	refused := func(from string) {
		t.Helper()
		c := x.dial(from, "") // who has sent something may lose what he is told
		b, _ := io.ReadAll(c)
		if res, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(b)), nil); err != nil || res.StatusCode != 503 || !strings.Contains(string(b), "remedy") {
			t.Errorf("one too many from %s hears %q", from, b)
		}
	}
	one := opened("127.0.0.1", 3)
	refused("127.0.0.1")
	opened("127.0.0.2", 1)
	_ = one[0].Close()
	eventually(t, "the place of who went is not free", func() bool { c, _ := s.listening.Load("api"); n, _, _ := c.(*Connections).counts(); return n == 3 })
	opened("127.0.0.1", 1)
	opened("127.0.0.2", 2)
	refused("127.0.0.3") // and six are all
	w := httptest.NewRecorder()
	s.OpsHandler().ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	for _, want := range []string{`verdict_connections_open{listener="api"} 6`, `verdict_connections_refused_total{bound="address",listener="api"} 1`, `verdict_connections_refused_total{bound="all",listener="api"} 1`} {
		if !strings.Contains(w.Body.String(), want) {
			t.Errorf("operators do not see %s", want)
		}
	}
	for _, c := range one[1:] {
		_ = c.Close()
	}
	y := liveOn(t, s, nil)
	x = y
	opened("127.0.0.7", 5) // a proxy stands for many
}

// Who audits over a slow line gets a log of any length page by page: one page must not need a
// faster line than an answer may be taken with.
func TestAPageOfTheLogIsTakenInTimeOverTheSlowestLine(t *testing.T) {
	page := time.Duration(maxBodies/3*4) * time.Second / slowest
	if most := (Limits{}).filled().Request; page > most*3/4 {
		t.Errorf("a page takes %s over the slowest line, and a request has %s", page, most)
	}
}

// TestTheLimitsOfAServer has what a server is started with: docs/operations.md tells operators.
func TestTheLimitsOfAServer(t *testing.T) {
	want := Limits{
		InFlight: 512, Rate: 4000, Anonymous: 50, Body: 1 << 20, Headers: 10 * time.Second, Request: time.Minute, Idle: 2 * time.Minute, Drain: 20 * time.Second, Lag: 10 * time.Second,
		Streams: 256, Beat: 15 * time.Second, Connections: 16_384, PerAddress: 1_024,
	}
	if got := (Limits{}).filled(); got != want {
		t.Errorf("%+v", got)
	}
	h := made(t, Limits{}).http(nil)
	if h.ReadHeaderTimeout != want.Headers || h.ReadTimeout != want.Request || h.WriteTimeout != want.Request+want.Lag || h.IdleTimeout != want.Idle || h.MaxHeaderBytes != 32<<10 {
		t.Errorf("%+v", h)
	}
}

// Operators size machines and proxies by the table of limits: it has to say what the server does.
func TestTheTableOfLimitsIsTrue(t *testing.T) {
	text, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	l := Limits{}.filled()
	thousands := func(n int) string {
		if n < 1000 {
			return fmt.Sprint(n)
		}
		return fmt.Sprintf("%d,%03d", n/1000, n%1000)
	}
	s := made(t, Limits{})
	for _, row := range []string{
		fmt.Sprintf("| %s, of which %s of one address |", thousands(l.Connections), thousands(l.PerAddress)),
		fmt.Sprintf("| %d KiB, within %.0f s |", maxHeaders>>10, l.Headers.Seconds()),
		fmt.Sprintf("between two requests | %.0f min |", l.Idle.Minutes()),
		fmt.Sprintf("to its answer | %.0f min |", l.Request.Minutes()),
		fmt.Sprintf("| %d KiB each second, late by at most %.0f s |", slowest>>10, l.Lag.Seconds()),
		fmt.Sprintf("| %d MiB, of a blob %d MiB,", l.Body>>20, maxBlob>>20),
		fmt.Sprintf("| %d, of which %d of those who are not signed in; %d |", cap(s.large), cap(s.largeOfGuest), largeBlobs),
		fmt.Sprintf("| %d; of those who are not signed in %d, of which %d of one address |", l.InFlight, s.guests.most, s.guests.each),
		fmt.Sprintf("one caller | %s each second |", thousands(int(l.Rate))),
		fmt.Sprintf("not signed in | %.0f each second |", l.Anonymous),
		fmt.Sprintf("| %d, each read at least every %.0f s |", l.Streams, l.Beat.Seconds()),
		fmt.Sprintf("of a JSON body | %d |", maxDepth),
		fmt.Sprintf("server stops | %.0f s |", l.Drain.Seconds()),
	} {
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/operations.md does not say %q", row)
		}
	}
}
