package token

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"syscall"
	"time"

	"verdict/outward"
)

// Patience with an issuer, and how much it may say.
const (
	fetchAfter = 5 * time.Second
	maxKeySet  = 512 << 10
)

// client fetches from one issuer. What its discovery document names is the issuer's word
// and no caller's; the address is judged where the connection is made all the same, because
// a name may mean this machine, or the service that hands out the cloud's own credentials.
func client(own *url.URL, roots *x509.CertPool, proxy func(*http.Request) (*url.URL, error)) *http.Client {
	d := &net.Dialer{Timeout: fetchAfter}
	return &http.Client{
		Timeout:       fetchAfter,
		CheckRedirect: func(*http.Request, []*http.Request) error { return errors.New("it redirects, which is not followed") },
		Transport: &http.Transport{
			Proxy: proxy, TLSHandshakeTimeout: fetchAfter, ResponseHeaderTimeout: fetchAfter, MaxResponseHeaderBytes: 64 << 10,
			TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots},
			MaxIdleConns:    1, IdleConnTimeout: 30 * time.Second, ForceAttemptHTTP2: true,
			DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
				here := *d
				here.Control = func(_, at string, _ syscall.RawConn) error { return reachable(own, address, at) }
				return here.DialContext(ctx, network, address)
			},
		},
	}
}

// reachable judges the address that a connection is made to: loopback is for an issuer that
// is on this machine by its very name, a private network for the issuer's own host.
func reachable(own *url.URL, asked, at string) error {
	to, err := netip.ParseAddrPort(at)
	if err != nil {
		return fmt.Errorf("%s is no address", at)
	}
	ip := to.Addr().Unmap()
	host, _, _ := net.SplitHostPort(asked)
	switch {
	case ip.IsLoopback() && outward.Loopback(own.Hostname()):
		return nil
	case ip.IsLoopback(), ip.IsUnspecified(), ip.IsLinkLocalUnicast(), !ip.IsGlobalUnicast():
	case ip.IsPrivate() && !strings.EqualFold(host, own.Hostname()):
	default:
		return nil
	}
	return fmt.Errorf("%s leads to the internal address %s", host, ip)
}

// plain reports whether an address may be asked: by https, or by http on this machine for
// an issuer that is on it too.
func plain(u, own *url.URL) bool {
	return u.User == nil && u.Host != "" && (u.Scheme == "https" || u.Scheme == "http" && outward.Loopback(u.Hostname()) && outward.Loopback(own.Hostname()))
}

// get fetches a document of an issuer.
func get(ctx context.Context, c *http.Client, address string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	r.Header.Set("Accept", "application/json")
	res, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", address, res.Status)
	}
	return bounded(res.Body, address)
}

// bounded reads a document that has an end.
func bounded(r io.Reader, from string) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxKeySet+1))
	if err == nil && len(b) > maxKeySet {
		err = fmt.Errorf("%s holds more than %d bytes", from, maxKeySet)
	}
	return b, err
}
