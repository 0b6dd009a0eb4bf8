package registry

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"verdict/outward"
)

// Reasons of the guard. They are never tried again.
var (
	errAddress  = errors.New("an internal address that is not the registry's own")
	errPlain    = errors.New("plain http to another machine")
	errRedirect = errors.New("a redirect that is not followed")
	errStalled  = errors.New("nothing came")
)

// Patience with a registry.
const (
	connectAfter = 10 * time.Second
	headersAfter = 30 * time.Second
	idleAfter    = 30 * time.Second // without a byte of a body
	mostHops     = 5
)

// guard is the way to one registry. What it answers, and where it sends us on to, is
// somebody else's word: a redirect or the realm of a token service may name any address.
// So the address is checked where the connection is made, behind the resolver: what a
// name meant a moment before says nothing.
type guard struct {
	host string // of the registry, with its port, as net.Dial takes it
	name string // of the registry as an address has it: with the port only where it was given
	idle time.Duration
	// stranger: nobody typed this registry, so its own address must be a public one too.
	stranger bool
	// private: the registry itself has a private address, so its storage may have one too.
	private atomic.Bool
	inner   *http.Transport
	mu      sync.Mutex
	proxies []string // addresses of the proxies that the system names; guarded by mu
}

func newGuard(host string, o Options) *guard {
	g := &guard{name: host, host: withPort(host, "443"), idle: o.Idle, stranger: o.Stranger}
	if g.idle == 0 {
		g.idle = idleAfter
	}
	headers := o.Headers
	if headers == 0 {
		headers = headersAfter
	}
	g.inner = &http.Transport{
		Proxy: g.proxy, DialContext: g.dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: connectAfter, ResponseHeaderTimeout: headers,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 256 << 10, DisableCompression: true,
		TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: o.Roots},
	}
	return g
}

func withPort(host, port string) string {
	if _, _, err := net.SplitHostPort(host); err == nil {
		return host
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// proxy is the one that the system names. Its address is the operator's word, so it may
// be an internal one.
func (g *guard) proxy(r *http.Request) (*url.URL, error) {
	u, err := http.ProxyFromEnvironment(r)
	if err != nil || u == nil {
		return nil, err
	}
	port := map[string]string{"https": "443", "socks5": "1080", "socks5h": "1080"}[u.Scheme]
	if port == "" {
		port = "80"
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if a := withPort(u.Host, port); !slices.Contains(g.proxies, a) {
		g.proxies = append(g.proxies, a)
	}
	// Behind a proxy the resolver is the proxy's: only an address that is written out can be judged.
	if ip, err := netip.ParseAddr(r.URL.Hostname()); err == nil && !g.own(r.URL) && !g.mayReach(ip) {
		return nil, fmt.Errorf("%w: %s", errAddress, ip)
	}
	return u, nil
}

// dial connects, and judges the address that it connects to.
func (g *guard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	g.mu.Lock()
	free := slices.Contains(g.proxies, address)
	g.mu.Unlock()
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	_, err = netip.ParseAddr(strings.Trim(host, "[]"))
	literal := err == nil
	own := !g.stranger && (address == g.host || withPort(g.name, "80") == address)
	d := net.Dialer{Timeout: connectAfter, KeepAlive: 30 * time.Second, Control: func(_, at string, _ syscall.RawConn) error {
		to, err := netip.ParseAddrPort(at)
		if err != nil {
			return fmt.Errorf("%w: %s", errAddress, at)
		}
		ip := to.Addr().Unmap()
		switch {
		case free:
		case own && (literal || !ip.IsLinkLocalUnicast()):
			g.private.Store(g.private.Load() || ip.IsPrivate())
		case !g.mayReach(ip):
			return fmt.Errorf("%w: %s", errAddress, ip)
		}
		return nil
	}}
	return d.DialContext(ctx, network, address)
}

// carrierGrade is the shared address space of RFC 6598, which clouds use inside.
var carrierGrade = netip.MustParsePrefix("100.64.0.0/10")

// mayReach reports whether an address that is not the registry's own may be connected to.
func (g *guard) mayReach(ip netip.Addr) bool {
	ip = ip.Unmap()
	switch {
	case !ip.IsGlobalUnicast() || ip.IsLoopback() || ip.IsLinkLocalUnicast() || ip.IsUnspecified():
		return false
	case ip.IsPrivate(), carrierGrade.Contains(ip):
		return g.private.Load()
	}
	return true
}

// own reports whether an address is on the registry's own host and port.
func (g *guard) own(u *url.URL) bool { return !g.stranger && strings.EqualFold(u.Host, g.name) }

// redirect says whether one is followed. The secret that a request carries stays behind
// when the host changes; see RoundTrip.
func (g *guard) redirect(r *http.Request, via []*http.Request) error {
	if len(via) > mostHops || r.Method != http.MethodGet && r.Method != http.MethodHead {
		return errRedirect
	}
	return nil
}

// RoundTrip makes one request: no plain http to another machine, no secret to a host that
// a redirect leads to, and an end to waiting.
func (g *guard) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.URL.Scheme != "https" && (r.URL.Scheme != "http" || !outward.Loopback(r.URL.Hostname())) {
		return nil, fmt.Errorf("%w: %s", errPlain, r.URL.Host)
	}
	ctx, cancel := context.WithCancelCause(r.Context())
	r = r.Clone(ctx)
	if r.Response != nil && r.Response.Request != nil && !sameHost(r.Response.Request.URL, r.URL) {
		r.Header.Del("Authorization")
		r.Header.Del("Cookie")
	}
	resp, err := g.inner.RoundTrip(r)
	if err != nil {
		cancel(nil)
		return nil, err
	}
	stop := time.AfterFunc(g.idle, func() { cancel(fmt.Errorf("%w for %v", errStalled, g.idle)) })
	resp.Body = &watched{ReadCloser: resp.Body, ctx: func() error { return context.Cause(ctx) }, cancel: cancel, timer: stop, idle: g.idle}
	return resp, nil
}

func sameHost(a, b *url.URL) bool {
	return a.Scheme == b.Scheme && strings.EqualFold(a.Host, b.Host)
}

// watched is a body that may not stall.
type watched struct {
	io.ReadCloser
	ctx    func() error
	cancel context.CancelCauseFunc
	timer  *time.Timer
	idle   time.Duration
}

func (w *watched) Read(b []byte) (int, error) {
	n, err := w.ReadCloser.Read(b)
	if n > 0 {
		w.timer.Reset(w.idle)
	}
	if err != nil && err != io.EOF {
		if cause := w.ctx(); cause != nil {
			err = cause
		}
	}
	return n, err
}

func (w *watched) Close() error {
	w.timer.Stop()
	err := w.ReadCloser.Close()
	w.cancel(nil)
	return err
}
