// Package registry speaks the OCI distribution protocol (1.1) with one repository of one
// registry: it resolves references, reads manifests and blobs, lists what refers to a
// digest, and attaches evidence.
//
// A registry is a stranger. Everything that it says is bounded in size and time, what is
// read by a digest has that digest, redirects are judged at the address that they lead to,
// and a secret goes to the host that it was kept for.
package registry

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"verdict"
	"verdict/artifact"
	"verdict/outward"
)

// Options are what a client takes from its surroundings. The zero value reads public
// repositories.
type Options struct {
	// DockerConfig is the folder of Docker's config.json, whose credentials for exactly
	// this host are used. Empty: none are.
	DockerConfig string
	// Write asks for the right to push.
	Write bool
	// Stranger: the name of the registry comes from an image and not from a person. It gets
	// no credentials, and is not asked at an internal address.
	Stranger bool
	Headers  time.Duration  // until an answer begins; 0: 30 s
	Idle     time.Duration  // without a byte of an answer; 0: 30 s
	Roots    *x509.CertPool // nil: the system's
}

// Client reads and writes one repository. One goroutine uses it at a time.
type Client struct {
	ref           artifact.Reference
	base          *url.URL // scheme and host
	http          *http.Client
	guard         *guard
	secret        credentials
	authorization string
	write         bool
}

var _ artifact.Remote = (*Client)(nil)

// Open reaches the registry of a reference. Its errors are *verdict.Error or the context's.
func Open(ctx context.Context, r artifact.Reference, o Options) (*Client, error) {
	host := r.Host()
	if o.Stranger {
		o.DockerConfig = ""
	}
	secret, err := credentialsFor(ctx, o.DockerConfig, host)
	if err != nil {
		return nil, err
	}
	if host == "docker.io" || host == "index.docker.io" {
		host = hub
	}
	g := newGuard(host, o)
	c := &Client{
		ref: r, base: &url.URL{Scheme: "https", Host: host}, guard: g, secret: secret, write: o.Write,
		http: &http.Client{Transport: g, CheckRedirect: g.redirect},
	}
	err = c.ping(ctx)
	if err != nil && outward.Loopback(c.base.Hostname()) && ctx.Err() == nil {
		// A registry on this machine may do without TLS; no other may.
		secure := err
		c.base.Scheme = "http"
		if err = c.ping(ctx); err != nil {
			err = errors.Join(err, secure)
		}
	}
	if err != nil {
		return nil, c.failed("GET /v2/", err)
	}
	return c, nil
}

// ping asks whether this is a registry, and answers its challenge.
func (c *Client) ping(ctx context.Context) error {
	resp, err := c.once(ctx, call{method: http.MethodGet, path: "/v2/"})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	switch resp.StatusCode {
	case http.StatusOK:
		return nil
	case http.StatusUnauthorized:
		ch, ok := parseChallenge(resp.Header.Values("WWW-Authenticate"))
		if !ok {
			return c.forbidden(errors.New("it asks for a kind of sign-in that is not known"))
		}
		return c.authorize(ctx, ch, c.scope())
	}
	return fmt.Errorf("it answers %s to GET /v2/, so it is no registry", resp.Status)
}

func (c *Client) scope() string {
	if c.write {
		return "repository:" + c.ref.Path() + ":pull,push"
	}
	return "repository:" + c.ref.Path() + ":pull"
}

// call is one request to the registry.
type call struct {
	method, path string
	url          *url.URL // instead of path
	header       http.Header
	body         []byte
}

// A registry that sends a byte now and then never stalls, so each answer has an end too.
const (
	answerWithin = 2 * time.Minute
	blobWithin   = time.Hour
)

// within is how long the whole answer may take.
func (x call) within() time.Duration {
	if x.method == http.MethodGet && strings.Contains(x.path, "/blobs/") {
		return blobWithin
	}
	return answerWithin
}

// ending is a body whose end ends the time for it.
type ending struct {
	io.ReadCloser
	end context.CancelFunc
}

func (e *ending) Close() error {
	defer e.end()
	return e.ReadCloser.Close()
}

// once makes a request. Whatever the status, the caller closes the body.
func (c *Client) once(ctx context.Context, x call) (*http.Response, error) {
	u := x.url
	if u == nil {
		u = c.base.ResolveReference(&url.URL{Path: x.path})
	}
	ctx, end := context.WithTimeout(ctx, x.within())
	req, err := http.NewRequestWithContext(ctx, x.method, u.String(), bytes.NewReader(x.body))
	if err != nil {
		end()
		return nil, err
	}
	for k, v := range x.header {
		req.Header[k] = v
	}
	req.Header.Set("User-Agent", "verdict")
	if c.authorization != "" && sameHost(u, c.base) {
		req.Header.Set("Authorization", c.authorization)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		end()
		return nil, err
	}
	resp.Body = &ending{resp.Body, end}
	return resp, nil
}

// do is once, with a second try when the registry wants another token.
func (c *Client) do(ctx context.Context, x call) (*http.Response, error) {
	resp, err := c.once(ctx, x)
	if err != nil {
		return nil, c.failed(x.what(), err)
	}
	if resp.StatusCode != http.StatusUnauthorized {
		return resp, nil
	}
	ch, ok := parseChallenge(resp.Header.Values("WWW-Authenticate"))
	resp.Body.Close()
	if !ok {
		return nil, c.forbidden(errors.New(resp.Status))
	}
	if err := c.authorize(ctx, ch, c.scope()); err != nil {
		return nil, err
	}
	if resp, err = c.once(ctx, x); err != nil {
		return nil, c.failed(x.what(), err)
	}
	return resp, nil
}

func (x call) what() string {
	if x.url != nil {
		return x.method + " " + x.url.Path
	}
	return x.method + " " + x.path
}

func (c *Client) path(kind, id string) string { return "/v2/" + c.ref.Path() + "/" + kind + "/" + id }

// body reads an answer of at most so many bytes.
func (c *Client) body(resp *http.Response, what string, most int64) ([]byte, error) {
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, most+1))
	if err != nil {
		return nil, c.failed(what, err)
	}
	if int64(len(b)) > most {
		return nil, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("%s answers %s with more than %d bytes", c.ref.Host(), what, most),
			Remedy: "check that the reference names an image; no manifest has this size",
		}
	}
	return b, nil
}

// status is the error for an answer that is not the one that is wanted.
func (c *Client) status(resp *http.Response, what string) error {
	switch resp.StatusCode {
	case http.StatusNotFound:
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: fmt.Sprintf("%s does not have it (%s)", c.ref.Host(), what),
			Remedy: "check the name, tag or digest: `docker manifest inspect " + c.ref.String() + "` asks the same",
		}
	case http.StatusUnauthorized, http.StatusForbidden:
		return c.forbidden(fmt.Errorf("%s: %s", what, resp.Status))
	case http.StatusTooManyRequests:
		return &verdict.Error{
			Code: verdict.CodeUnavailable, What: c.ref.Host() + " wants fewer requests",
			Remedy: "run it again in some minutes, or sign in: `docker login " + c.ref.Host() + "`",
		}
	}
	return c.failed(what, fmt.Errorf("it answers %s", resp.Status))
}

// failed says for people why the registry could not be asked.
func (c *Client) failed(what string, err error) error {
	var known *verdict.Error
	if errors.As(err, &known) {
		return err
	}
	var address *url.Error
	if errors.As(err, &address) {
		err = address.Err // without the address: one of a storage service is signed
	}
	e := &verdict.Error{
		Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s cannot be asked (%s)", c.ref.Host(), what),
		Remedy: "check the name of the registry and the way to it, then run it again", Err: err,
	}
	switch {
	case errors.Is(err, context.Canceled):
		return context.Canceled
	case errors.Is(err, errAddress), errors.Is(err, errRedirect):
		return c.astray(err)
	case errors.Is(err, errPlain):
		e.Remedy = "give a registry that has TLS; without it only one on this machine is asked (localhost, 127.0.0.1)"
	case errors.Is(err, errStalled), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		e.What = fmt.Sprintf("%s does not answer (%s)", c.ref.Host(), what)
		e.Remedy = "run it again later; if it stays so, look at the registry and at the proxy between"
	}
	return e
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.As(err, &t) && t.Timeout()
}

// astray is the error for a registry that sends us where nobody asked to go.
func (c *Client) astray(err error) error {
	return &verdict.Error{
		Code: verdict.CodeRefused, What: c.ref.Host() + " sends us on to another place, and that is not followed",
		Remedy: "if the storage behind the registry is there by intent, name the registry by the address that serves it itself; if not, tell whoever runs it", Err: err,
	}
}

// Tagged asks what a tag names now.
func (c *Client) Tagged(ctx context.Context, tag string) (artifact.Manifest, error) {
	return c.manifest(ctx, tag, "")
}

// Manifest gives the manifest or index of a digest.
func (c *Client) Manifest(ctx context.Context, d verdict.Digest) (artifact.Manifest, error) {
	return c.manifest(ctx, string(d), d)
}

func (c *Client) manifest(ctx context.Context, id string, want verdict.Digest) (artifact.Manifest, error) {
	x := call{method: http.MethodGet, path: c.path("manifests", id), header: http.Header{"Accept": artifact.ManifestTypes}}
	resp, err := c.do(ctx, x)
	if err != nil {
		return artifact.Manifest{}, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return artifact.Manifest{}, c.status(resp, x.what())
	}
	raw, err := c.body(resp, x.what(), artifact.MaxManifest)
	if err != nil {
		return artifact.Manifest{}, err
	}
	m := artifact.Manifest{MediaType: resp.Header.Get("Content-Type"), Digest: want, Raw: raw}
	if want == "" {
		m.Digest = digestOf("sha256", raw)
	} else if digestOf(want.Algorithm(), raw) != want {
		return artifact.Manifest{}, c.other(want)
	}
	return m, nil
}

// other is the error for bytes that are not those of the digest.
func (c *Client) other(want verdict.Digest) error {
	return &verdict.Error{
		Code: verdict.CodeRefused, What: fmt.Sprintf("%s answers other bytes than those of %s", c.ref.Host(), want),
		Remedy: "do not use what it gives: the registry, or something between, alters or mixes up its content; ask whoever runs it",
	}
}

// Blob opens a configuration or layer.
func (c *Client) Blob(ctx context.Context, d artifact.Descriptor) (io.ReadCloser, error) {
	h, ok := hashes[d.Digest.Algorithm()]
	if !ok {
		return nil, fmt.Errorf("blob %s: no digest of a blob", d.Digest)
	}
	x := call{method: http.MethodGet, path: c.path("blobs", string(d.Digest))}
	resp, err := c.do(ctx, x)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		resp.Body.Close()
		return nil, c.status(resp, x.what())
	}
	return &verified{c: c, from: resp.Body, want: d, hash: h(), what: x.what()}, nil
}

// isNotFound reports whether the registry does not have what was asked for.
func isNotFound(err error) bool {
	var e *verdict.Error
	return errors.As(err, &e) && e.Code == verdict.CodeNotFound
}

// fallbackTag is where those who know of no referrers API look (distribution-spec 1.1,
// "Referrers Tag Schema"), and what older cosign builds its tags from.
func fallbackTag(d verdict.Digest) string { return strings.Replace(string(d), ":", "-", 1) }
