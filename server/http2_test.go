package server

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"math/big"
	"net"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// testTLS is what a server on this machine speaks TLS with.
func testTLS(t *testing.T) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, c, c, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"h2", "http/1.1"}, Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}
}

// frames is a connection of HTTP/2 on which a test writes what it wants.
type frames struct {
	*http2.Framer
	t    *testing.T
	conn *tls.Conn
	next uint32
	text bytes.Buffer
	pack *hpack.Encoder
}

func (x *live) frames(settings ...http2.Setting) *frames {
	x.t.Helper()
	c := tls.Client(x.dial("127.0.0.1", ""), &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}}) // the test made the certificate
	if err := c.Handshake(); err != nil {
		x.t.Fatal(err)
	}
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		x.t.Fatal(err)
	}
	f := &frames{Framer: http2.NewFramer(c, c), t: x.t, conn: c, next: 1}
	f.AllowIllegalWrites = true
	f.pack = hpack.NewEncoder(&f.text)
	if err := f.WriteSettings(settings...); err != nil {
		x.t.Fatal(err)
	}
	return f
}

// headers packs those of a request.
func (f *frames) headers(method, path string, more ...string) []byte {
	f.text.Reset()
	list := append([]string{":method", method, ":scheme", "https", ":authority", "verdict.test", ":path", path, "authorization", "Bearer dev"}, more...)
	for i := 0; i < len(list); i += 2 {
		_ = f.pack.WriteField(hpack.HeaderField{Name: list[i], Value: list[i+1]}) // into memory
	}
	return bytes.Clone(f.text.Bytes())
}

// begin opens a stream.
func (f *frames) begin(block []byte, whole bool) (uint32, error) {
	id := f.next
	f.next += 2
	return id, f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: block, EndHeaders: true, EndStream: whole})
}

// ended reads until the connection ends, and gives the reason that was told.
func (f *frames) ended() (why http2.ErrCode) {
	_ = f.conn.SetReadDeadline(time.Now().Add(time.Minute))
	for {
		x, err := f.ReadFrame()
		if err != nil {
			if n, ok := err.(net.Error); ok && n.Timeout() {
				f.t.Error("the connection does not end")
			}
			return why
		}
		if x, is := x.(*http2.GoAwayFrame); is {
			why = x.ErrCode
		}
	}
}

// Thousands of streams that are opened and taken back at once must keep nobody out, nor fill the
// memory (CVE-2023-44487): the connection that does so is closed.
func TestStreamsThatAreTakenBackAtOnceKeepNobodyOut(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{InFlight: 16})
	hostileRoutes(&done)(s)
	x := liveOn(t, s, testTLS(t))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range 4 {
		f := x.frames()
		go func() {
			block := f.headers("POST", "/anybody")
			for range 10_000 {
				id, err := f.begin(block, false)
				if err != nil || f.WriteRSTStream(id, http2.ErrCodeCancel) != nil {
					return // it was closed
				}
			}
		}()
		go func() {
			for {
				if _, err := f.ReadFrame(); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(50 * time.Millisecond)
	for range 5 {
		f := x.frames()
		if _, err := f.begin(f.headers("GET", "/api/v1/open"), true); err != nil {
			t.Fatal(err)
		}
		if status := f.status(); status != "200" && status != "503" {
			t.Errorf("somebody else is answered %s", status)
		}
	}
	eventually(t, "places were not given back", func() bool { return len(s.busy) == 0 && s.guests.n == 0 })
	runtime.GC()
	runtime.ReadMemStats(&after)
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 64<<20 {
		t.Errorf("they take %d MiB", grown>>20)
	}
}

// status reads until headers come, and gives the status of theirs.
func (f *frames) status() string {
	_ = f.conn.SetReadDeadline(time.Now().Add(time.Minute))
	f.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	for {
		x, err := f.ReadFrame()
		if err != nil {
			return err.Error()
		}
		if h, ok := x.(*http2.MetaHeadersFrame); ok {
			return h.PseudoValue("status")
		}
	}
}

// Headers that never end, in frame after frame (CVE-2023-45288), end the connection and not the
// memory; so does a table that its sender has grow.
func TestHeadersWithoutEndEndAConnection(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{})
	hostileRoutes(&done)(s)
	x := liveOn(t, s, testTLS(t))
	for name, part := range map[string]func(*frames) []byte{
		"long ones": func(f *frames) []byte { return f.headers("GET", "/", "x", strings.Repeat("y", 8<<10)) },
		"many ones": func(f *frames) []byte {
			return f.headers("GET", "/", strings.Split(strings.Repeat("x,y,", 2000)+"x,y", ",")...)
		},
		"empty ones": func(*frames) []byte { return nil },
	} {
		f := x.frames()
		sent := atomic.Int64{}
		go func() {
			block := f.headers("GET", "/api/v1/open")
			if f.WriteHeaders(http2.HeadersFrameParam{StreamID: 1, BlockFragment: block, EndStream: true}) != nil {
				return
			}
			for range 20_000 {
				b := part(f)
				if f.WriteContinuation(1, false, b) != nil {
					return
				}
				sent.Add(int64(len(b)))
			}
			_ = f.conn.CloseWrite()
		}()
		if f.ended(); sent.Load() > 8<<20 {
			t.Errorf("%s: %d bytes of headers were taken", name, sent.Load())
		}
	}
	f := x.frames()
	if _, err := f.begin(f.headers("GET", "/api/v1/open"), true); err != nil {
		t.Fatal(err)
	}
	if status := f.status(); status != "200" {
		t.Errorf("somebody else is answered %s", status)
	}
}

// Who asks for much on many streams, and opens no window for any of it, is given up on each.
func TestStreamsWithoutAWindowAreGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := made(t, Limits{Lag: 400 * time.Millisecond})
		s.LedgerRoutes(LedgerOptions{})
		x := liveInMemory(t, s, testTLS(t))
		blob, err := s.o.Ledger.PutBlob(t.Context(), make([]byte, 900<<10))
		if err != nil {
			t.Fatal(err)
		}
		f := x.frames(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
		block := f.headers("GET", Prefix+"/blobs/"+string(blob))
		go func() {
			for range 50 {
				if _, err := f.begin(block, true); err != nil {
					t.Error(err)
					return
				}
			}
		}()
		_ = f.conn.SetReadDeadline(time.Now().Add(10 * time.Second))
		for given := 0; given < 50; {
			x, err := f.ReadFrame()
			if err != nil {
				t.Fatalf("%d streams of 50 were given up: %v", given, err)
			}
			if _, is := x.(*http2.RSTStreamFrame); is {
				given++
			}
		}
		eventually(t, "who takes nothing holds his places", func() bool { return len(s.busy) == 0 })
	})
}

// A frame that no request is made of must not be taken for one.
func TestFramesThatAreNoRequestAreRefused(t *testing.T) {
	var done atomic.Int64
	s := made(t, Limits{})
	hostileRoutes(&done)(s)
	x := liveOn(t, s, testTLS(t))
	before := done.Load()
	for name, more := range map[string][]string{
		"a length beside another one":   {"content-length", "13", "content-length", "14"},
		"a coding":                      {"transfer-encoding", "chunked"},
		"a header of the connection":    {"connection", "keep-alive"},
		"an upgrade":                    {"upgrade", "websocket"},
		"a line end in a value":         {"x", "a\r\nb: c"},
		"a capital letter":              {"X-Big", "y"},
		"a tunnel for another protocol": {":protocol", "websocket"},
	} {
		f := x.frames()
		id, err := f.begin(f.headers("POST", "/api/v1/echo", append(more, "content-type", "application/json")...), false)
		if err != nil {
			t.Fatal(err)
		}
		_ = f.WriteData(id, true, []byte(`{"text":"hi"}`)) // it may be closed already
		got := f.status()
		if strings.HasPrefix(got, "2") || done.Load() != before {
			t.Errorf("%s: it is answered %s, and was done %d times", name, got, done.Load()-before)
		}
		before = done.Load()
	}
	f := x.frames()
	size := make([]byte, 9)
	binary.BigEndian.PutUint32(size, 0x00ffffff<<8)
	_, _ = f.conn.Write(size) // a frame of 16 MiB
	if why := f.ended(); why != http2.ErrCodeFrameSize {
		t.Errorf("a frame of 16 MiB: %s", why)
	}
}
