// Package client speaks with a control plane over HTTP. Its Ledger answers like the
// ledger.Ledger of the server, within what the caller may see, and its errors are the
// server's own: same code, same words, same remedy. What does not answer as a control plane
// does is never taken for an answer.
package client

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"verdict"
	"verdict/outward"
	"verdict/server/wire"
)

// Options of a client. Server and Rand are required.
type Options struct {
	Server string // https://HOST or https://HOST:PORT, without a path
	// CA are certificates in PEM that may vouch for the server, beside the system's.
	CA []byte
	// Proxy as in http.Transport; nil: none.
	Proxy func(*http.Request) (*url.URL, error)
	// Wait bounds each attempt, from its beginning to the last byte of the answer; 0: 90 s.
	Wait   time.Duration
	Rand   io.Reader // of Idempotency-Key, and of the time between attempts
	Agent  string    // User-Agent
	Logger *slog.Logger
}

// Client is a connection to one server. It is safe for use by several goroutines when Rand
// and the Token are.
type Client struct {
	o     Options
	http  *http.Client
	token Token
	part  atomic.Bool
}

// Token gives what a request carries as Authorization: Bearer; an empty one: it carries none.
// again: the server refused the last one.
type Token func(ctx context.Context, again bool) (string, error)

// Authorize says what requests carry from here on.
func (c *Client) Authorize(t Token) { c.token = t }

// Part reports whether an answer was to somebody who may not read all that there is.
func (c *Client) Part() bool { return c.part.Load() }

// Bounds of one request.
const (
	attempts   = 4
	firstWait  = 200 * time.Millisecond
	longWait   = 10 * time.Second // that a server may ask for
	maxProblem = 64 << 10
	maxText    = 4 << 10 // of what an error says
)

// New makes a client. It does not connect.
func New(o Options) (*Client, error) {
	u, err := url.Parse(o.Server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, &verdict.Error{Code: verdict.CodeUsage, What: "--server is no address of a control plane", Remedy: "write --server https://HOST or https://HOST:PORT"}
	}
	if u.Scheme == "http" && !outward.Loopback(u.Hostname()) {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: "--server " + o.Server + " would send tokens and evidence in the clear over the network",
			Remedy: "use https://" + u.Host + "; plain http is for a server on this machine",
		}
	}
	roots, err := rootsWith(o.CA)
	if err != nil {
		return nil, err
	}
	if o.Wait == 0 {
		o.Wait = 90 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	o.Server = strings.TrimSuffix(o.Server, "/")
	dial := &net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}
	return &Client{o: o, http: &http.Client{
		Transport: &http.Transport{
			Proxy: o.Proxy, DialContext: dial.DialContext, ForceAttemptHTTP2: true,
			TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, TLSHandshakeTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 128, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		},
		// A redirect would take the token to where somebody else chose.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// rootsWith are the system's roots with further ones; nil: the system's.
func rootsWith(more []byte) (*x509.CertPool, error) {
	if len(more) == 0 {
		return nil, nil
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(more) {
		return nil, &verdict.Error{Code: verdict.CodeUsage, What: "--server-ca holds no certificate", Remedy: "give a file with certificates in PEM"}
	}
	return pool, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// call is one request to the server.
type call struct {
	method string
	path   string
	query  url.Values
	kind   string // media type of body
	body   []byte
	open   func() (io.ReadCloser, error) // the body, where it is too large for the memory
	// safe: it changes nothing. key names what does. Only what is safe, or has a key, is sent
	// again.
	safe bool
	key  string
	// anonymous: it carries no token.
	anonymous bool
	// bytes: the answer is not JSON.
	bytes bool
	limit int64         // of the answer; 0: wire.MaxBody
	wait  time.Duration // for the answer; 0: Options.Wait
}

// ask sends a request whose answer is JSON, and reads that.
func (c *Client) ask(ctx context.Context, q call, into any) error {
	b, err := c.send(ctx, q)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return c.strange("its answer cannot be read", err)
	}
	return nil
}

// get asks for JSON.
func (c *Client) get(ctx context.Context, path string, query url.Values, into any) error {
	return c.ask(ctx, call{method: http.MethodGet, path: path, query: query}, into)
}

// question sends JSON that changes nothing.
func (c *Client) question(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	return c.ask(ctx, call{method: http.MethodPost, path: path, kind: "application/json", body: b, safe: true}, into)
}

// post sends JSON under a key, so that it is done once however often it is sent.
func (c *Client) post(ctx context.Context, path string, body, into any) error {
	b, err := json.Marshal(body)
	if err != nil {
		return err
	}
	key, err := c.newKey()
	if err != nil {
		return err
	}
	return c.ask(ctx, call{method: http.MethodPost, path: path, kind: "application/json", body: b, key: key}, into)
}

func (c *Client) newKey() (string, error) {
	b := make([]byte, 16)
	if _, err := io.ReadFull(c.o.Rand, b); err != nil {
		return "", fmt.Errorf("name of a request: %w", err)
	}
	return hex.EncodeToString(b), nil
}

// send sends a request, again where that is safe, and gives the answer's body.
func (c *Client) send(ctx context.Context, q call) ([]byte, error) {
	again := q.method == http.MethodGet || q.method == http.MethodPut || q.safe || q.key != ""
	renewed := false
	for n := 1; ; n++ {
		a, err := c.once(ctx, q, renewed)
		switch {
		case err == nil && a.status == http.StatusUnauthorized && !renewed && !q.anonymous && c.token != nil:
			renewed = true
			continue
		case err == nil && !a.passing():
			return c.read(q, a)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !again || n == attempts || err != nil && !passing(err):
			if err == nil {
				return c.read(q, a)
			}
			return nil, err
		}
		c.o.Logger.Info("the server is asked again", "path", q.path, "attempt", n, "error", err)
		if err := c.pause(ctx, n, a.after); err != nil {
			return nil, err
		}
	}
}

// pause waits before the attempt after the n-th.
func (c *Client) pause(ctx context.Context, n int, asked time.Duration) error {
	wait := max(firstWait<<(n-1), min(asked, longWait))
	var b [1]byte
	if _, err := io.ReadFull(c.o.Rand, b[:]); err == nil { // so that many clients do not come back together
		wait += wait * time.Duration(b[0]) / 512
	}
	if outward.Pause(ctx, wait) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// answered is what came back.
type answered struct {
	status int
	kind   string // media type
	api    string
	body   []byte
	after  time.Duration
	to     string // where a redirect leads
}

// passing reports whether the answer is one that goes away by itself.
func (a answered) passing() bool {
	switch a.status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// unreachable is that the server could not be asked, or did not answer in full.
type unreachable struct{ e *verdict.Error }

func (u unreachable) Error() string { return u.e.Error() }

func (u unreachable) Unwrap() error { return u.e }

func passing(err error) bool {
	var u unreachable
	return errors.As(err, &u)
}

// once sends a request once.
func (c *Client) once(ctx context.Context, q call, again bool) (a answered, err error) {
	r, err := c.request(ctx, q, again)
	if err != nil {
		return a, err
	}
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(q.wait, c.o.Wait))
	defer cancel()
	res, err := c.http.Do(r.WithContext(ctx))
	if err != nil {
		return a, c.unreachable(err)
	}
	defer res.Body.Close()
	limit := q.limit
	if limit == 0 {
		limit = wire.MaxBody
	}
	if res.StatusCode > 299 {
		limit = maxProblem
	}
	b, err := io.ReadAll(io.LimitReader(res.Body, limit+1))
	if err != nil {
		return a, c.unreachable(err)
	}
	if int64(len(b)) > limit {
		return a, c.strange(fmt.Sprintf("its answer is longer than %d bytes", limit), nil)
	}
	if res.Header.Get(wire.HeaderReach) == wire.ReachPart {
		c.part.Store(true)
	}
	kind, _, _ := strings.Cut(res.Header.Get("Content-Type"), ";")
	a = answered{status: res.StatusCode, kind: strings.TrimSpace(kind), api: res.Header.Get(wire.HeaderVersion), body: b, to: res.Header.Get("Location")}
	if s, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && s > 0 {
		a.after = time.Duration(min(s, 3600)) * time.Second
	}
	return a, nil
}

func (c *Client) request(ctx context.Context, q call, again bool) (*http.Request, error) {
	address := c.o.Server + q.path
	if len(q.query) > 0 {
		address += "?" + q.query.Encode()
	}
	r, err := http.NewRequestWithContext(ctx, q.method, address, bytes.NewReader(q.body))
	if err == nil && q.open != nil {
		r.ContentLength, r.GetBody = -1, q.open
		r.Body, err = q.open()
	}
	if err != nil {
		return nil, fmt.Errorf("request %s %s: %w", q.method, q.path, err)
	}
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	if q.key != "" {
		r.Header.Set(wire.HeaderIdempotency, q.key)
	}
	r.Header.Set("User-Agent", c.o.Agent)
	if q.anonymous || c.token == nil {
		return r, nil
	}
	token, err := c.token(ctx, again)
	if err != nil {
		return nil, err
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	return r, nil
}

func (c *Client) unreachable(err error) error {
	if errors.Is(err, http.ErrSchemeMismatch) {
		return unreachable{&verdict.Error{
			Code: verdict.CodeUnavailable, What: "the server " + c.o.Server + " speaks http without TLS",
			Remedy: "write http:// in --server, where it is on this machine; else have it started with --tls-cert and --tls-key; nothing was decided",
		}}
	}
	return unreachable{&verdict.Error{
		Code: verdict.CodeUnavailable, What: "the server " + c.o.Server + " cannot be reached", Err: plain(err),
		Remedy: "compare --server with the address that verdict serve printed, see that it runs and that this machine reaches it (curl -sS " + c.o.Server + wire.Prefix + "/checkpoint), then run the command again; nothing was decided",
	}}
}

// plain leaves the address out, which the message has already.
func plain(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// strange is that something else than a control plane answers.
func (c *Client) strange(how string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "what answers at " + c.o.Server + " does not speak as a control plane of this version: " + how,
		Remedy: "compare --server with the address that verdict serve printed, and the versions: verdict version here and there", Err: err,
	}
}
