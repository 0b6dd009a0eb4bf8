package server

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"verdict/identity"
)

// live is a server on a listener of its own, as verdict serve has one.
type live struct {
	*Server
	t      *testing.T
	at     string
	memory *inMemory // instead of an address
	stop   context.CancelFunc
	ended  chan error
}

func liveServer(t *testing.T, l Limits, routes func(*Server)) *live {
	t.Helper()
	s := made(t, l)
	routes(s)
	return liveOn(t, s, nil)
}

// liveOn has a server serve, over TLS where c is not nil. What the kernel keeps of answers on
// their way is little, so that who does not read is seen soon.
func liveOn(t *testing.T, s *Server, c *tls.Config) *live {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	x := &live{Server: s, t: t, at: listener.Addr().String(), stop: stop, ended: make(chan error, 1)}
	go func() { x.ended <- s.Serve(ctx, Listeners{API: littleKept{listener}, TLS: c}) }()
	t.Cleanup(stop)
	return x
}

type littleKept struct{ net.Listener }

func (l littleKept) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(16 << 10)
	}
	return c, err
}

// dial sends the beginning of a request, from an address of the loopback network.
func (x *live) dial(from, text string) net.Conn {
	x.t.Helper()
	if x.memory != nil {
		return x.begun(x.memory.dial(x.t, from), text)
	}
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}, Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 16<<10) })
	}}
	c, err := d.DialContext(x.t.Context(), "tcp", x.at)
	if err != nil {
		x.t.Fatal(err)
	}
	return x.begun(c, text)
}

func (x *live) begun(c net.Conn, text string) net.Conn {
	x.t.Helper()
	x.t.Cleanup(func() { _ = c.Close() })
	_ = c.SetDeadline(time.Now().Add(time.Minute)) // more than any limit of a test
	if _, err := io.WriteString(c, text); err != nil {
		x.t.Fatal(err)
	}
	return c
}

// statuses are those of all answers that come until the server hangs up.
func statuses(c net.Conn) (out []int) {
	r := bufio.NewReader(c)
	for {
		res, err := http.ReadResponse(r, nil)
		if err != nil {
			return out
		}
		_, _ = io.Copy(io.Discard, res.Body)
		out = append(out, res.StatusCode)
	}
}

// eventually waits for what goes on in other goroutines.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for until := time.Now().Add(time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(until) {
			t.Fatal(what)
		}
	}
}

// hostileRoutes adds to echo a write that anybody may send, and one with a large body.
func hostileRoutes(done *atomic.Int64) func(*Server) {
	return func(s *Server) {
		echo(done)(s)
		s.Handle("POST /anybody", Operation{ID: "anybody", Public: true, Once: true}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				writeProblem(w, bodyProblem(err))
				return
			}
			writeJSON(w, "ok")
		}))
		s.Handle("POST /large", Operation{ID: "large", Verb: identity.Reading, Once: true, Body: 8 << 20}, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, err := io.ReadAll(r.Body); err != nil {
				writeProblem(w, bodyProblem(err))
				return
			}
			writeJSON(w, "ok")
		}))
	}
}

// Somebody without a token who opens many requests and never ends them must keep out neither
// callers nor strangers from elsewhere, and loses his connections.
func TestWhoSendsSlowlyKeepsNobodyOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{InFlight: 16, Lag: 2 * time.Second})
		hostileRoutes(&done)(s)
		x := liveInMemory(t, s, nil)
		const begun = "POST /anybody HTTP/1.1\r\nHost: verdict.test\r\nContent-Length: 1000\r\n\r\nslow"
		var slow []net.Conn
		for range 40 {
			slow = append(slow, x.dial("127.0.0.1", begun))
		}
		eventually(t, "the slow requests did not begin", func() bool { return len(x.busy) == 2 })
		for from, request := range map[string]string{"127.0.0.1": "POST " + Prefix + "/echo HTTP/1.1\r\n" + dev + "\r\n", "127.0.0.2": "POST /anybody HTTP/1.1\r\n"} {
			c := x.dial(from, request+"Host: verdict.test\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}")
			if got := statuses(c); len(got) != 1 || got[0] != 200 {
				t.Errorf("%.30s from %s is answered %v while somebody else sends slowly", request, from, got)
			}
		}
		late, busy := 0, 0
		for _, c := range slow {
			switch got := statuses(c); {
			case len(got) == 1 && got[0] == 408:
				late++
			case len(got) == 1 && got[0] == 503:
				busy++
			default:
				t.Errorf("a slow request was answered %v", got)
			}
		}
		if late != 2 || busy != 38 {
			t.Errorf("%d were cut off for being late, and %d found no place", late, busy)
		}
		eventually(t, "places were not given back", func() bool { return len(x.busy) == 0 && x.guests.n == 0 && len(x.guests.of) == 0 })
	})
}

// A body that comes steadily is taken even where all of it takes longer than a slow one may.
func TestABodyThatComesSteadilyIsTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{Lag: time.Second})
		hostileRoutes(&done)(s)
		x := liveInMemory(t, s, nil)
		c := x.dial("127.0.0.1", fmt.Sprintf("POST /large HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n%s\r\nContent-Length: %d\r\n\r\n", dev, 20*(20<<10)))
		for range 20 { // 20 KiB in 150 ms are twice what has to come
			if _, err := c.Write(make([]byte, 20<<10)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(150 * time.Millisecond)
		}
		if got := statuses(c); len(got) != 1 || got[0] != 200 {
			t.Errorf("%v", got)
		}
	})
}

// However many large bodies are begun at once, few are in memory, and small ones pass.
func TestFewLargeBodiesAreInMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int64
		s := made(t, Limits{Lag: 2 * time.Second, Request: 4 * time.Second})
		hostileRoutes(&done)(s)
		x := liveInMemory(t, s, nil)
		const head = "POST /large HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\nContent-Length: 4194304\r\n\r\n"
		var all []net.Conn
		for range 30 {
			c := x.dial("127.0.0.1", head)
			all = append(all, c)
			go func() { _, _ = c.Write(make([]byte, 2<<20)) }() // and never the rest
		}
		eventually(t, "the bodies did not begin", func() bool { return len(x.large) == largeBodies })
		if got := statuses(x.dial("127.0.0.1", "POST "+Prefix+"/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nContent-Type: application/json\r\n"+dev+"\r\nContent-Length: 13\r\n\r\n{\"text\":\"hi\"}")); len(got) != 1 || got[0] != 200 {
			t.Errorf("a small request beside large ones: %v", got)
		}
		for _, c := range all {
			if got := statuses(c); len(got) > 1 || len(got) == 1 && got[0] != 408 && got[0] != 503 {
				t.Errorf("a body that never ends: %v", got)
			}
		}
		eventually(t, "places were not given back", func() bool { return len(x.large) == 0 && len(x.busy) == 0 })
	})
}

// httptestOf is the live server for ask.
func httptestOf(t *testing.T, x *live) *httptest.Server {
	t.Helper()
	h := httptest.NewUnstartedServer(x.Handler())
	h.Start()
	t.Cleanup(h.Close)
	return h
}

// Each of these is one request to one proxy and two to another, or names a path in a way that
// a rule in front of the server reads differently. None may be done, and none may be answered
// as two.
func TestRequestsWithTwoReadingsAreRefused(t *testing.T) {
	var done atomic.Int64
	x := liveServer(t, Limits{Body: 1 << 20}, func(s *Server) {
		hostileRoutes(&done)(s)
		s.LedgerRoutes(LedgerOptions{})
	})
	const write = `{"text":"hi"}`
	post := func(lines string) string {
		return "POST /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nContent-Type: application/json\r\n" + dev + "\r\n" + lines
	}
	hidden := "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n\r\n"
	get := func(path string) string {
		return "GET " + path + " HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n\r\n"
	}
	for name, tt := range map[string]struct {
		text   string
		status int
	}{
		"two lengths":                      {post("Content-Length: 13\r\nContent-Length: 14\r\n\r\n") + write + hidden, 400},
		"a length and a coding":            {post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n") + "0\r\n\r\n" + hidden, 400},
		"a coding and a length":            {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n") + "0\r\n\r\n" + hidden, 400},
		"a coding behind a coding":         {post("Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n") + hidden, 501},
		"a chunk that goes on":             {post("Transfer-Encoding: chunked\r\n\r\n1;x=\"\r\n\"\r\n{\r\n0\r\n\r\n") + hidden, 400},
		"a line that is folded":            {post("Connection: close\r\nX: a\r\n Content-Length: 13\r\n\r\n"), 400},
		"a socket of the web":              {"GET /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" + dev + "\r\n\r\n", 404},
		"an address in full, of elsewhere": {"POST http://evil.test/api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nOrigin: http://evil.test\r\nCookie: who=dev\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + write, 403},
		"a host that is the page's own":    {"POST /api/v1/echo HTTP/1.1\r\nHost: evil.test\r\nX-Forwarded-Host: evil.test\r\nConnection: close\r\nOrigin: http://evil.test\r\nSec-Fetch-Site: same-origin\r\nCookie: who=dev\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + write, 403},
		"an origin that begins as ours":    {"POST /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nOrigin: http://verdict.test.evil.test\r\nCookie: who=dev\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + write, 403},
		"an origin that is null":           {"POST /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nOrigin: null\r\nCookie: who=dev\r\nContent-Type: application/json\r\nContent-Length: 13\r\n\r\n" + write, 403},
		"a tunnel by a name":               {"CONNECT verdict.test:443 HTTP/1.1\r\nHost: verdict.test:443\r\n\r\n" + hidden, 400},
		"a tile behind hidden dots":        {get("/log/tile/%2e%2e/%2e%2e/etc/passwd"), 400},
		"a tile behind dots packed twice":  {"GET /log/tile/%252e%252e/checkpoint HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\n\r\n", 404},
		"a tile with a hidden slash":       {get("/log/tile%2f0%2f000"), 404},
		"a blob behind hidden dots":        {get("/api/v1/blobs/..%2f..%2flog.key"), 400},
		"a blob behind a hidden NUL":       {get("/api/v1/blobs/sha256:00%00"), 400},
		"a blob of another algorithm":      {"GET /api/v1/blobs/md5:00 HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\n\r\n", 422},
		"a blob that names a file":         {"GET /api/v1/blobs/sha256:..%5c..%5clog.key HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\n\r\n", 400},
		"a length with a sign":             {post("Content-Length: +13\r\n\r\n") + write, 400},
		"two codings":                      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n") + hidden, 501},
		"a coding that is no coding":       {post("Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n") + hidden, 501},
		"a blank before the colon":         {post("Content-Length : 13\r\n\r\n") + write, 400},
		"a bare CR in a header":            {post("X: a\rContent-Length: 13\r\n\r\n") + write, 400},
		"a chunk that is no number":        {post("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n") + write + "\r\n0\r\n\r\n", 400},
		"two hosts":                        {"GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\nHost: evil.test\r\n\r\n", 400},
		"no host":                          {"GET /api/v1/open HTTP/1.1\r\n\r\n", 400},
		"a host that is none":              {"GET /api/v1/open HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
		"headers without end":              {"GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n" + strings.Repeat("X: "+strings.Repeat("y", 990)+"\r\n", 60) + "\r\n", 431},
		"thousands of headers":             {"GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n", 431},
		"hidden dots":                      {get("/api/v1/%2e%2e/v1/open"), 400},
		"hidden slash and dots":            {get("/log/tile/..%2f..%2fapi/v1/open"), 400},
		"a backslash":                      {get("/api/v1/..%5copen"), 400},
		"two slashes":                      {get("/api//v1/open"), 400},
		"a slash in front, as of a host":   {get("//evil.test/api/v1/open"), 400},
		"a NUL":                            {get("/api/v1/open%00"), 400},
		"a line end in a path":             {get("/api/v1/open%0d%0aX:y"), 404},
		"a dot at the end":                 {get("/api/v1/open."), 404},
		"a slash at the end":               {get("/api/v1/open/"), 404},
		"another case":                     {get("/API/v1/open"), 404},
		"an encoded slash in a path":       {get("/api%2fv1/open"), 404},
		"a parameter of a path":            {get("/api/v1/open;x=1"), 404},
		"no path":                          {"GET * HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n\r\n", 400},
		"a tunnel":                         {"CONNECT 10.0.0.1:22 HTTP/1.1\r\nHost: 10.0.0.1:22\r\nConnection: close\r\n\r\n", 400},
		"an echo of the credential":        {"TRACE /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\n\r\n", 404},
		"HEAD of a write":                  {"HEAD /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n" + dev + "\r\n\r\n", 404},
		"a method in a header":             {"GET /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nX-HTTP-Method-Override: POST\r\n" + dev + "\r\n\r\n", 404},
		"a body that is packed":            {post("Connection: close\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x00"), 400},
		"100 MB with their length":         {post("Connection: close\r\nContent-Length: 104857600\r\n\r\n") + strings.Repeat(" ", 1<<20) + "  ", 413},
		"more than its bound, in chunks":   {post("Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n") + "100002\r\n" + strings.Repeat(" ", 1<<20+2) + "\r\n0\r\n\r\n", 413},
		"an upgrade to another protocol":   {"GET /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: Upgrade, HTTP2-Settings, close\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n", 404},
		"another protocol from the first":  {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
		"a request line that is too long":  {get("/api/v1/open?x=" + strings.Repeat("x", 64<<10)), 431},
		"an address with a user's name":    {"GET http://verdict.test@evil.test/api/v1/nothing HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n", 404},
		"a write with two lines of access": {"POST /api/v1/echo HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\nContent-Type: application/json\r\nAuthorization: Bearer nobody\r\n" + dev + "\r\nContent-Length: 13\r\n\r\n" + write, 401},
	} {
		t.Run(name, func(t *testing.T) {
			c := x.dial("127.0.0.1", "")
			go func() { _, _ = io.WriteString(c, tt.text) }() // the server hangs up before the end of some
			if got := statuses(c); len(got) != 1 || got[0] != tt.status {
				t.Errorf("answered %v, want %d once", got, tt.status)
			}
			if done.Load() != 0 {
				t.Error("it was done")
			}
		})
	}
}

// What somebody outside chooses must begin no line of the log, and make no series of figures:
// he would write what operators read, and fill the memory.
func TestWhatComesFromOutsideActsNeitherInTheLogNorInTheFigures(t *testing.T) {
	var logged strings.Builder
	var done atomic.Int64
	s := made(t, Limits{})
	s.o.Logger = slog.New(slog.NewTextHandler(&logged, nil))
	echo(&done)(s)
	h := s.Handler()
	for i := range 300 {
		method := "X" + strings.Repeat("LONG", 1000)
		if i%2 == 0 {
			method = "GET"
		}
		r := httptest.NewRequestWithContext(t.Context(), method, fmt.Sprintf("/a%d%%0d%%0alevel=ERROR%%20msg=owned?b%%0a=%d", i, i), nil)
		r.Header.Set("User-Agent", "x\r\nlevel=ERROR msg=owned")
		r.Header.Set(IdempotencyKey, "a\nlevel=ERROR")
		r.Header.Set("X-Forwarded-For", fmt.Sprintf("10.0.%d.%d", i/250, i%250))
		r.RemoteAddr = fmt.Sprintf("127.0.0.%d:1", i%250)
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
	if strings.Contains(logged.String(), "owned") || strings.Count(logged.String(), "\n") != 300 || len(logged.String()) > 300*300 {
		t.Errorf("300 requests wrote %d lines of %d bytes: %.300s", strings.Count(logged.String(), "\n"), logged.Len(), logged.String())
	}
	w := httptest.NewRecorder()
	s.OpsHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), "GET", "/metrics", nil))
	if n := strings.Count(w.Body.String(), "verdict_http_requests_total{"); n != 1 {
		t.Errorf("300 paths and methods made %d series", n)
	}
}

// Who claims to come from elsewhere is held to the rate of where he comes from, and so is who
// has all the addresses of a network to himself.
func TestARateIsOfWhereARequestComesFrom(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{Anonymous: 5})
	echo(&done)(s)
	last := func(from func(i int) string, header string) int {
		status := 0
		for i := range 30 {
			r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/open", nil)
			r.RemoteAddr = from(i)
			if header != "" {
				r.Header.Set(header, fmt.Sprintf("192.0.2.%d", i))
			}
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			status = w.Code
		}
		return status
	}
	for _, header := range []string{"X-Forwarded-For", "X-Real-IP", "Forwarded", "True-Client-IP"} {
		if got := last(func(int) string { return "198.51.100.1:1" }, header); got != 429 {
			t.Errorf("with %s it was answered %d", header, got)
		}
	}
	if got := last(func(i int) string { return fmt.Sprintf("[2001:db8::%x]:1", i+1) }, ""); got != 429 {
		t.Errorf("30 addresses of one network: %d", got)
	}
	if got := last(func(i int) string { return fmt.Sprintf("[2001:db8:0:%x::1]:1", i+1) }, ""); got != 200 {
		t.Errorf("30 networks: %d", got)
	}
	for i := range 3 * maxBuckets {
		s.strange.take(fmt.Sprint(i))
	}
	if n := len(s.strange.of); n > maxBuckets {
		t.Errorf("%d rates are remembered", n)
	}
}

// A key belongs to its caller: somebody else who sends the same one must not get what the
// first was answered, nor be kept from his own write.
func TestAKeyIsItsCallersOwn(t *testing.T) {
	var done atomic.Int64
	people["dev2"] = identity.Caller{Actor: "a-dev2", Grants: people["dev"].Grants}
	defer delete(people, "dev2")
	h := opened(t, Limits{}, echo(&done))
	key := IdempotencyKey + ": shared"
	for i, who := range []string{"dev", "dev2"} {
		status, body, header := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, "Authorization: Bearer "+who, key)
		if status != 200 || header.Get("Idempotent-Replayed") != "" || !strings.Contains(body, fmt.Sprintf(`"nth":%d`, i+1)) {
			t.Errorf("%s: %d %s", who, status, body)
		}
	}
	if status, body, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev, IdempotencyKey+": "+strings.Repeat("k", 20_000)); status != 400 || !strings.Contains(body, "longer than") {
		t.Errorf("a key of 20,000 characters: %d %s", status, body)
	}
	before := done.Load()
	answers := make(chan int, 20)
	for range 20 {
		go func() {
			r, _ := http.NewRequestWithContext(t.Context(), "POST", h.URL+"/api/v1/echo", strings.NewReader(`{"text":"once"}`))
			r.Header = http.Header{"Authorization": {"Bearer dev"}, "Content-Type": {"application/json"}, IdempotencyKey: {"race"}}
			res, err := h.Client().Do(r)
			if err != nil {
				answers <- 0
				return
			}
			_ = res.Body.Close()
			answers <- res.StatusCode
		}()
	}
	for range 20 {
		if got := <-answers; got != 200 && got != 409 {
			t.Errorf("one of 20 at once was answered %d", got)
		}
	}
	if n := done.Load() - before; n != 1 {
		t.Errorf("20 at once with one key were done %d times", n)
	}
}

// Live streams have places of their own. However many are open, callers are answered; who is
// too many is told; and a stop does not wait for those who only listen.
func TestStreamsKeepNobodyOutAndEndAtAStop(t *testing.T) {
	var done atomic.Int64
	x := liveServer(t, Limits{InFlight: 4, Streams: 6}, func(s *Server) {
		echo(&done)(s)
		s.LedgerRoutes(LedgerOptions{})
	})
	const listen = "GET /api/v1/events HTTP/1.1\r\nHost: verdict.test\r\n" + dev + "\r\n"
	var open []net.Conn
	for range 6 {
		open = append(open, x.dial("127.0.0.1", listen+"\r\n"))
	}
	eventually(t, "the streams did not open", func() bool { return len(x.streams) == 6 })
	if got := statuses(x.dial("127.0.0.1", listen+"Connection: close\r\n\r\n")); len(got) != 1 || got[0] != 429 {
		t.Errorf("one too many was answered %v", got)
	}
	if got := statuses(x.dial("127.0.0.1", "GET /api/v1/open HTTP/1.1\r\nHost: verdict.test\r\nConnection: close\r\n\r\n")); len(got) != 1 || got[0] != 200 {
		t.Errorf("beside the streams a request was answered %v", got)
	}
	_ = open[0].Close()
	eventually(t, "the place of who went is not free", func() bool { return len(x.streams) == 5 })
	for _, last := range []string{"-1", "99999999", "1e3", "x"} {
		if got := statuses(x.dial("127.0.0.1", listen+"Connection: close\r\nLast-Event-ID: "+last+"\r\n\r\n")); len(got) != 1 || got[0] != 400 {
			t.Errorf("Last-Event-ID %s was answered %v", last, got)
		}
	}
	began := time.Now()
	x.stop()
	if err := <-x.ended; err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took >= x.o.Limits.Drain {
		t.Errorf("the stop waited %s for who only listened", took)
	}
}

// A request that is under way at the end is answered; new ones are not let in; and a listener
// that fails ends the server with an error, instead of one that serves nobody.
func TestAStopLetsWhatIsUnderWayEnd(t *testing.T) {
	var done atomic.Int64
	x := liveServer(t, Limits{}, hostileRoutes(&done))
	c := x.dial("127.0.0.1", "POST /large HTTP/1.1\r\nHost: verdict.test\r\n"+dev+"\r\nContent-Length: 4\r\n\r\nab")
	eventually(t, "the request did not begin", func() bool { return len(x.busy) == 1 })
	x.stop()
	eventually(t, "the server takes more", func() bool {
		d, err := net.Dial("tcp", x.at)
		if err == nil {
			_ = d.Close()
		}
		return err != nil
	})
	if lacks := x.lacks(t.Context()); lacks["running"] == "" {
		t.Error("readiness does not say that the server stops")
	}
	if _, err := io.WriteString(c, "cd"); err != nil {
		t.Fatal(err)
	}
	if got := statuses(c); len(got) != 1 || got[0] != 200 {
		t.Errorf("the request under way was answered %v", got)
	}
	if err := <-x.ended; err != nil {
		t.Error(err)
	}

	s := made(t, Limits{})
	api, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ops, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(t.Context(), Listeners{API: api, Ops: ops}) }()
	_ = ops.Close()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a server without its listener ended as if it had been asked to")
		}
	case <-time.After(10 * time.Second):
		t.Error("a server without its listener goes on")
	}
}

// Over TLS nobody negotiates again, and who opens streams of HTTP/2 and takes them back at
// once keeps nobody out.
func TestResetStreamsKeepNobodyOut(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{InFlight: 8})
	hostileRoutes(&done)(s)
	h := httptest.NewUnstartedServer(s.Handler())
	h.EnableHTTP2 = true
	h.TLS = &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}}
	h.StartTLS()
	t.Cleanup(h.Close)
	for range 300 {
		ctx, cancel := context.WithCancel(t.Context())
		r, _ := http.NewRequestWithContext(ctx, "POST", h.URL+"/anybody", neverEnding{ctx})
		sent := make(chan struct{})
		go func() {
			defer close(sent)
			if res, err := h.Client().Do(r); err == nil {
				_ = res.Body.Close()
			}
		}()
		time.Sleep(time.Millisecond)
		cancel()
		<-sent
	}
	status, body, _ := ask(t, h, "POST", "/api/v1/echo", `{"text":"hi"}`, dev)
	var got heard
	if err := json.Unmarshal([]byte(body), &got.Body); err != nil || status != 200 {
		t.Errorf("%d %s", status, body)
	}
	eventually(t, "places were not given back", func() bool { return len(s.busy) == 0 && s.guests.n == 0 })
}

// neverEnding is a body of which nothing comes.
type neverEnding struct{ context.Context }

func (n neverEnding) Read([]byte) (int, error) {
	<-n.Done()
	return 0, n.Err()
}
