package blob

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"verdict"
)

// Refusal is what an object store answered to a request, and what its operator has to know
// to mend it.
type Refusal struct {
	Store   string // such as s3://bucket
	Verb    string // what was asked for, such as "write an object"
	Status  int    // of HTTP; 0: nothing came
	Code    string // the store's own word
	Right   string // the permission that the request needs
	Missing string // remedy when the bucket itself is not there
	Err     error
}

// Explained makes of it an error for a person.
func (r Refusal) Explained() error {
	what := fmt.Sprintf("%s does not let us %s", r.Store, r.Verb)
	if r.Code != "" {
		what += " (" + r.Code + ")"
	}
	e := &verdict.Error{Code: verdict.CodeUnavailable, What: what, Remedy: "give the identity that Verdict runs under the permission " + r.Right + " there", Err: r.Err}
	switch {
	case errors.Is(r.Err, context.Canceled):
		return r.Err
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden:
	case r.Status == http.StatusNotFound:
		e.What, e.Remedy = fmt.Sprintf("%s is not there", r.Store), r.Missing
	case r.Status == http.StatusTooManyRequests, r.Status >= 500:
		e.What = fmt.Sprintf("%s is overloaded or down: it was asked several times to %s", r.Store, r.Verb)
		e.Remedy = "run the command again in a while; nothing was recorded"
	case r.Status >= 300 && r.Status < 400:
		e.What, e.Remedy = fmt.Sprintf("%s is elsewhere: it answers with a redirect", r.Store), "give its own region or address: ?region=REGION or ?endpoint=URL"
	case r.Status == 0:
		e.What = fmt.Sprintf("%s cannot be asked to %s", r.Store, r.Verb)
		e.Remedy = "check the network, the credentials of this machine for the store, and the address given with --blobs"
	default:
		e.What = fmt.Sprintf("%s refuses to %s (%d %s)", r.Store, r.Verb, r.Status, r.Code)
		e.Remedy = "check the address given with --blobs and the settings of the store"
	}
	return e
}

// HTTP is the client for an object store: every step is bounded in time, only the body of
// a large object is not, and no redirect is followed with credentials. A nil transport is
// one of its own.
func HTTP(t http.RoundTripper) *http.Client {
	if t == nil {
		t = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			DialContext:         (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 10 * time.Second, ResponseHeaderTimeout: time.Minute, ExpectContinueTimeout: time.Second,
			MaxIdleConnsPerHost: 32, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 256 << 10, DisableCompression: true,
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

// Attempts is how often a request is made that fails in passing.
const Attempts = 4

// Patience is how long a request with so many bytes may take, all attempts together.
func Patience(size int) time.Duration {
	return 2*time.Minute + time.Duration(size>>18)*time.Second // 256 KiB/s
}
