// Package remotetest holds the suite that every driver of package remote passes.
package remotetest

import (
	"bytes"
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"verdict"
	"verdict/evidence"
	"verdict/evidence/remote"
)

// Kind is what kind of key a service holds.
type Kind string

// The kinds. Of these only P256 signs evidence, and only Ed25519 a log.
const (
	P256    Kind = "p256"
	P384    Kind = "p384"
	RSA     Kind = "rsa"
	Ed25519 Kind = "ed25519"
)

// Key is the key that a stand-in for a service holds.
type Key struct {
	Kind    Kind
	Private crypto.Signer
}

// NewKey makes one.
func NewKey(t testing.TB, kind Kind) Key {
	t.Helper()
	k, err := MakeKey(kind)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// MakeKey is NewKey for whoever has no test at hand.
func MakeKey(kind Kind) (Key, error) {
	var k crypto.Signer
	var err error
	switch kind {
	case P256:
		k, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case P384:
		k, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case RSA:
		k, err = rsa.GenerateKey(rand.Reader, 2048)
	default:
		_, k, err = ed25519.GenerateKey(rand.Reader)
	}
	return Key{kind, k}, err
}

// SPKI is the public half in DER.
func (k Key) SPKI() []byte {
	b, err := x509.MarshalPKIXPublicKey(k.Private.Public())
	if err != nil {
		panic(err)
	}
	return b
}

// PEM is the public half in PEM.
func (k Key) PEM() string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: k.SPKI()}))
}

// Sign signs as services do: a digest with ECDSA, in DER, a message with Ed25519.
func (k Key) Sign(b []byte) []byte {
	hash := crypto.Hash(crypto.SHA256)
	if k.Kind == Ed25519 {
		hash = 0
	}
	sig, err := k.Private.Sign(rand.Reader, b, hash)
	if err != nil {
		return nil // the wrong length, which a service refuses
	}
	return sig
}

// Driver is what the suite needs to know of a driver.
type Driver struct {
	// New names the key version that the stand-in holds. All requests go by the transport,
	// whatever their host, and pauses are those that wait makes.
	New func(t *testing.T, transport http.RoundTripper, wait func(context.Context, time.Duration) error) remote.Service
	// Stand answers as the service does, and holds the request's form against the
	// documentation of the service. It takes the key anew for each request.
	Stand func(t *testing.T, key func() Key) http.Handler
	// Refuse answers as the service refuses, for one of the reasons below.
	Refuse func(w http.ResponseWriter, why Reason)
	// Rights are the permissions that a refused fetch of the public key and a refused
	// signature lack.
	Rights [2]string
	// NoLog: the service has no Ed25519 keys.
	NoLog bool
}

// Reason is why a service refuses.
type Reason string

// The reasons.
const (
	Denied    Reason = "denied"
	Disabled  Reason = "disabled"
	Missing   Reason = "missing"
	Throttled Reason = "throttled"
)

// bench is one case: a service with a driver in front of it.
type bench struct {
	Driver
	key    atomic.Pointer[Key]
	before atomic.Pointer[func(http.ResponseWriter, *http.Request) bool]
	asked  atomic.Int64
	waited atomic.Int64
	s      remote.Service
}

// Run runs the suite.
func Run(t *testing.T, d Driver) {
	for _, c := range []struct {
		name string
		kind Kind
		test func(*testing.T, *bench)
	}{
		{"evidence that it signs verifies by its public key", P256, signs},
		{"a digest of another length is not sent", P256, otherLength},
		{"a signature of another key is never handed out", P256, anotherKey},
		{"a checkpoint that it signs verifies, and is signed once", Ed25519, checkpoint},
		{"a checkpoint signed by another key is never handed out", Ed25519, anotherLogKey},
		{"who waits for a checkpoint that cannot be signed waits once", Ed25519, waitsOnce},
		{"a key of another curve is refused", P384, wrongKind},
		{"an RSA key is refused", RSA, wrongKind},
		{"a refusal names the permission that is missing", P256, denied},
		{"a disabled key says so", P256, disabled},
		{"a key that is not there says so", P256, missing},
		{"a throttled call is made again, a few times", P256, throttled},
		{"a service that wants to be left alone for an hour is not waited for", P256, retryAfter},
		{"a connection that breaks is tried again", P256, breaks},
		{"credentials follow no redirect", P256, redirects},
		{"an answer without end or sense is refused", P256, nonsense},
		{"a silent service ends with its caller", P256, silent},
	} {
		if c.kind == Ed25519 && d.NoLog {
			continue
		}
		t.Run(c.name, func(t *testing.T) { c.test(t, start(t, d, c.kind)) })
	}
}

func start(t *testing.T, d Driver, kind Kind) *bench {
	b := &bench{Driver: d}
	k := NewKey(t, kind)
	b.key.Store(&k)
	stand := d.Stand(t, func() Key { return *b.key.Load() })
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		b.asked.Add(1)
		if before := b.before.Load(); before != nil && (*before)(w, r) {
			return
		}
		stand.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	b.s = d.New(t, To(s), func(ctx context.Context, d time.Duration) error {
		b.waited.Add(int64(d))
		return ctx.Err()
	})
	return b
}

// To is a transport that leads to a server whatever the host of a request is.
func To(s *httptest.Server) http.RoundTripper {
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: roots, ServerName: "example.com"},
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, s.Listener.Addr().String())
		},
	}
}

func (b *bench) answer(f func(http.ResponseWriter, *http.Request) bool) { b.before.Store(&f) }

func (b *bench) refuse(why Reason) {
	b.answer(func(w http.ResponseWriter, _ *http.Request) bool { b.Refuse(w, why); return true })
}

func (b *bench) open(t *testing.T) *remote.Signer {
	t.Helper()
	k, err := remote.Open(t.Context(), b.s)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

var digest = func() []byte { d := sha256.Sum256([]byte("x")); return d[:] }()

func signs(t *testing.T, b *bench) {
	k := b.open(t)
	if want := evidence.KeyID(&b.key.Load().Private.(*ecdsa.PrivateKey).PublicKey); k.KeyID() != want {
		t.Errorf("key id %s, want %s", k.KeyID(), want)
	}
	about := verdict.Subject{Kind: verdict.SubjectArtifact, Name: "x", Digest: verdict.NewDigest("sha256", strings.Repeat("a", 64))}
	s, err := evidence.New(verdict.KindSBOM, []verdict.Subject{about}, map[string]any{"a": 1}, verdict.Context{At: time.Unix(1, 0).UTC()}, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	asked := b.asked.Load()
	for range 20 { // r and s are shorter than 32 bytes now and then
		bundle, err := evidence.Sign(t.Context(), s, k)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := evidence.KeyVerifier(k.Public()).Verify(t.Context(), bundle); err != nil {
			t.Error(err)
		}
	}
	if n := b.asked.Load() - asked; n != 20 {
		t.Errorf("20 signatures took %d calls: the public key is to be fetched once", n)
	}
}

func otherLength(t *testing.T, b *bench) {
	k := b.open(t)
	asked := b.asked.Load()
	for _, n := range []int{0, 31, 33, 64} {
		if sig, err := k.Sign(t.Context(), make([]byte, n)); err == nil {
			t.Errorf("a digest of %d bytes gave %x", n, sig)
		}
	}
	if b.asked.Load() != asked {
		t.Error("the service was asked to sign them")
	}
}

func anotherKey(t *testing.T, b *bench) {
	k := b.open(t)
	other := NewKey(t, P256)
	b.key.Store(&other)
	sig, err := k.Sign(t.Context(), digest)
	if e := verdict.AsError(err); sig != nil || e == nil || e.Code != verdict.CodeRefused {
		t.Errorf("Sign gave %x, %v", sig, err)
	}
}

// origin of the log in these cases.
const origin = "log.example.com"

func logSigner(t *testing.T, b *bench) note.Signer {
	t.Helper()
	k, err := remote.OpenLog(t.Context(), b.s)
	if err != nil {
		t.Fatal(err)
	}
	s, err := k.Signer(origin)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func checkpoint(t *testing.T, b *bench) {
	s := logSigner(t, b)
	public := b.key.Load().Private.Public().(ed25519.PublicKey)
	line, err := evidence.VerifierKey(origin, public)
	if err != nil {
		t.Fatal(err)
	}
	v, err := note.NewVerifier(line)
	if err != nil {
		t.Fatal(err)
	}
	asked := b.asked.Load()
	for _, text := range []string{"one\n", "one\n", "two\n", "two\n"} {
		signed, err := note.Sign(&note.Note{Text: text}, s)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := note.Open(signed, note.VerifierList(v)); err != nil || n.Text != text {
			t.Errorf("%q: %v", signed, err)
		}
	}
	if n := b.asked.Load() - asked; n != 2 {
		t.Errorf("two checkpoints took %d calls", n)
	}
	if _, err := remote.Open(t.Context(), b.s); err == nil || verdict.AsError(err).Code != verdict.CodeInvalid {
		t.Errorf("a log key signs evidence: %v", err)
	}
}

func anotherLogKey(t *testing.T, b *bench) {
	s := logSigner(t, b)
	other := NewKey(t, Ed25519)
	b.key.Store(&other)
	sig, err := s.Sign([]byte("text\n"))
	if e := verdict.AsError(err); sig != nil || e == nil || e.Code != verdict.CodeRefused {
		t.Errorf("Sign gave %x, %v", sig, err)
	}
}

// waitsOnce: a service that is silent would else hold up each reader after the other.
func waitsOnce(t *testing.T, b *bench) {
	s := logSigner(t, b)
	b.refuse(Denied)
	asked := b.asked.Load()
	for range 20 {
		if sig, err := s.Sign([]byte("text\n")); err == nil || sig != nil {
			t.Fatalf("Sign gave %x, %v", sig, err)
		}
	}
	if n := b.asked.Load() - asked; n > 10 { // one, unless the machine is very busy
		t.Errorf("20 readers took %d calls", n)
	}
	b.before.Store(nil)
	if _, err := s.Sign([]byte("other\n")); err != nil {
		t.Errorf("another checkpoint is not tried: %v", err)
	}
}

func wrongKind(t *testing.T, b *bench) {
	_, e1 := remote.Open(t.Context(), b.s)
	_, e2 := remote.OpenLog(t.Context(), b.s)
	for _, err := range []error{e1, e2} {
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeInvalid || !strings.Contains(e.Remedy, "name a key for signing") {
			t.Errorf("%v", err)
		}
	}
}

// both gives the error of the public key, and that of a signature.
func (b *bench) both(t *testing.T, then func()) (public, sign error) {
	k := b.open(t)
	then()
	_, public = remote.Open(t.Context(), b.s)
	_, sign = k.Sign(t.Context(), digest)
	return public, sign
}

func denied(t *testing.T, b *bench) {
	public, sign := b.both(t, func() { b.refuse(Denied) })
	for i, err := range []error{public, sign} {
		e := verdict.AsError(err)
		if e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.Remedy, b.Rights[i]) {
			t.Errorf("%v, with remedy %q; want %s", err, e.Remedy, b.Rights[i])
		}
	}
}

func disabled(t *testing.T, b *bench) {
	_, sign := b.both(t, func() { b.refuse(Disabled) })
	if e := verdict.AsError(sign); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, "disabled") {
		t.Errorf("Sign: %v", sign)
	}
}

func missing(t *testing.T, b *bench) {
	public, sign := b.both(t, func() { b.refuse(Missing) })
	for _, err := range []error{public, sign} {
		if e := verdict.AsError(err); e == nil || e.Code != verdict.CodeUnavailable || !strings.Contains(e.What, "not there") {
			t.Errorf("%v", err)
		}
	}
}

func throttled(t *testing.T, b *bench) {
	k := b.open(t)
	var n atomic.Int64
	b.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 2 {
			return false
		}
		b.Refuse(w, Throttled)
		return true
	})
	if _, err := k.Sign(t.Context(), digest); err != nil {
		t.Errorf("throttled twice: %v", err)
	}
	n.Store(-1000)
	asked := b.asked.Load()
	_, err := k.Sign(t.Context(), digest)
	if e := verdict.AsError(err); e == nil || !strings.Contains(e.Remedy, "in a while") {
		t.Errorf("throttled for ever: %v", err)
	}
	if n := b.asked.Load() - asked; n < 2 || n > 5 {
		t.Errorf("asked %d times", n)
	}
}

func retryAfter(t *testing.T, b *bench) {
	k := b.open(t)
	b.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		w.Header().Set("Retry-After", "3600")
		b.Refuse(w, Throttled)
		return true
	})
	if _, err := k.Sign(t.Context(), digest); err == nil {
		t.Error("it signs")
	}
	if w := time.Duration(b.waited.Load()); w > 30*time.Second {
		t.Errorf("it waited %s", w)
	}
}

func breaks(t *testing.T, b *bench) {
	k := b.open(t)
	var n atomic.Int64
	b.answer(func(w http.ResponseWriter, _ *http.Request) bool {
		if n.Add(1) > 1 {
			return false
		}
		w.Header().Set("Content-Length", "100")
		w.WriteHeader(http.StatusOK)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	})
	if _, err := k.Sign(t.Context(), digest); err != nil {
		t.Errorf("Sign: %v", err)
	}
}

func redirects(t *testing.T, b *bench) {
	public, sign := b.both(t, func() {
		b.answer(func(w http.ResponseWriter, r *http.Request) bool {
			if r.URL.Path == "/elsewhere" {
				t.Errorf("a redirect was followed, with %v", r.Header)
			}
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
			return true
		})
	})
	for _, err := range []error{public, sign} {
		if e := verdict.AsError(err); e == nil || !strings.Contains(e.What, "redirect") {
			t.Errorf("%v", err)
		}
	}
}

func nonsense(t *testing.T, b *bench) {
	k := b.open(t)
	for name, body := range map[string]io.Reader{
		"nothing": strings.NewReader(""), "no JSON": strings.NewReader("<html>sign in</html>"), "an empty object": strings.NewReader("{}"),
		"a list": strings.NewReader("[]"), "null": strings.NewReader("null"), "64 MiB": io.LimitReader(spaces{}, 64<<20),
		"depth": bytes.NewReader(bytes.Repeat([]byte("["), 1<<17)),
	} {
		b.answer(func(w http.ResponseWriter, _ *http.Request) bool { io.Copy(w, body); return true })
		if sig, err := k.Sign(t.Context(), digest); err == nil || sig != nil {
			t.Errorf("%s: %x, %v", name, sig, err)
		}
		if _, err := remote.Open(t.Context(), b.s); err == nil {
			t.Errorf("%s: it is a public key", name)
		}
	}
}

// spaces never end.
type spaces struct{}

func (spaces) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte(" "), len(p))), nil }

func silent(t *testing.T, b *bench) {
	k := b.open(t)
	over := make(chan struct{})
	defer close(over)
	b.answer(func(_ http.ResponseWriter, r *http.Request) bool {
		io.Copy(io.Discard, r.Body) // else the server does not see the caller leave
		select {
		case <-over:
		case <-r.Context().Done():
		}
		return true
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := k.Sign(ctx, digest); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Sign: %v", fmt.Sprint(err))
	}
}

// Serve answers over TLS until the test ends.
func Serve(t *testing.T, h http.Handler) *httptest.Server {
	s := httptest.NewTLSServer(h)
	t.Cleanup(s.Close)
	return s
}
