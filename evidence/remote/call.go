package remote

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"verdict"
	"verdict/outward"
)

// The limits of a call to a key service.
const (
	maxAnswer    = 256 << 10        // bytes of an answer
	callAttempts = 4                // of one call
	callAfter    = 30 * time.Second // of all its attempts
	longestWait  = 5 * time.Second  // between two of them, whatever the service asks for
)

// Client makes the calls to one key service: JSON over HTTP.
type Client struct {
	Base string // https://HOST, without a slash behind it
	// Authorize signs a request in. It is asked again for each attempt.
	Authorize func(ctx context.Context, r *http.Request, body []byte) error
	Transport http.RoundTripper                          // nil: one of its own
	Wait      func(context.Context, time.Duration) error // between attempts; nil: it waits
	client    *http.Client
}

// NewClient checks the base address: credentials go to https, or to this machine.
func NewClient(c Client) (*Client, error) {
	u, err := url.Parse(c.Base)
	if err != nil || !outward.Safe(u) {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q cannot be the address of a key service", c.Base),
			Remedy: "give an https address without user, query or fragment",
		}
	}
	if c.Transport == nil {
		c.Transport = &http.Transport{
			Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true,
			DialContext:         (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
			TLSHandshakeTimeout: 5 * time.Second, ResponseHeaderTimeout: 10 * time.Second,
			MaxIdleConnsPerHost: 4, IdleConnTimeout: 90 * time.Second, MaxResponseHeaderBytes: 64 << 10,
		}
	}
	if c.Wait == nil {
		c.Wait = outward.Pause
	}
	c.client = &http.Client{Transport: c.Transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &c, nil
}

// Refusal is what a service answered instead of what was asked for.
type Refusal struct {
	Status  int
	Code    string // the service's own word
	Message string
}

// Error is the status with the service's words.
func (r *Refusal) Error() string {
	return strings.TrimSuffix(fmt.Sprintf("status %d %.100s: %.300s", r.Status, r.Code, r.Message), ": ")
}

// passing reports whether the same call may go better in a moment.
func (r *Refusal) passing() bool {
	switch r.Status {
	case http.StatusTooManyRequests, http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return strings.HasSuffix(r.Code, "ThrottlingException") // AWS says so with status 400
}

// Call makes one call. In may be nil. What fails in passing is tried again: to sign twice
// is no harm. Headers are set before the call is signed in.
func (c *Client) Call(ctx context.Context, method, path string, headers map[string]string, in, out any) error {
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, callAfter)
	defer cancel()
	pause := 200 * time.Millisecond
	for attempt := 1; ; attempt++ {
		asked, err := c.once(ctx, method, path, headers, body, out)
		if err == nil || attempt == callAttempts || ctx.Err() != nil {
			return err
		}
		var r *Refusal
		var u *url.Error
		if errors.As(err, &r) && !r.passing() || r == nil && !errors.As(err, &u) || hopeless(err) {
			return err
		}
		if c.Wait(ctx, min(max(pause, asked), longestWait)) != nil {
			return err
		}
		pause *= 3
	}
}

// hopeless reports whether a connection fails for a reason that does not pass.
func hopeless(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound || strings.Contains(err.Error(), "certificate")
}

// once makes one attempt; asked is how long the service wants to be left alone.
func (c *Client) once(ctx context.Context, method, path string, headers map[string]string, body []byte, out any) (asked time.Duration, err error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Base+path, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	if body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	for k, v := range headers {
		r.Header.Set(k, v)
	}
	if c.Authorize != nil {
		if err := c.Authorize(ctx, r, body); err != nil {
			return 0, err
		}
	}
	resp, err := c.client.Do(r)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return 0, &url.Error{Op: method, URL: c.Base, Err: err}
	}
	if resp.StatusCode != http.StatusOK {
		seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
		return time.Duration(min(max(seconds, 0), 60)) * time.Second, refusal(resp.StatusCode, b)
	}
	if len(b) > maxAnswer {
		return 0, fmt.Errorf("an answer of more than %d bytes", maxAnswer)
	}
	if err := json.Unmarshal(b, out); err != nil {
		return 0, fmt.Errorf("an answer that is not understood: %w", err)
	}
	return 0, nil
}

// refusal reads the words of any of the services: {"error": {"code", "status", "message"}},
// {"__type", "message"} and {"errors": ["…"]}.
func refusal(status int, b []byte) *Refusal {
	r := &Refusal{Status: status}
	var said struct {
		Type    string   `json:"__type"`
		Message string   `json:"message"`
		Errors  []string `json:"errors"`
		Error   struct {
			Code    any    `json:"code"`
			Status  string `json:"status"`
			Message string `json:"message"`
			Inner   struct {
				Code string `json:"code"`
			} `json:"innererror"`
		} `json:"error"`
	}
	if len(b) > maxAnswer || json.Unmarshal(b, &said) != nil {
		return r
	}
	word, _ := said.Error.Code.(string) // Google has a number there
	r.Code = cmp.Or(said.Error.Inner.Code, word, said.Error.Status, said.Type[strings.LastIndexByte(said.Type, '#')+1:])
	r.Message = strings.Join(append(said.Errors, said.Message+said.Error.Message), "; ")
	r.Message = strings.TrimSuffix(r.Message, "; ")
	return r
}

// Explain makes an error for people of what a call to sign or to fetch a public key came
// to. Rights says which permission the call needs. A driver explains first what only its
// service says.
func Explain(name, verb, rights string, err error) error {
	var done *verdict.Error
	if err == nil || errors.As(err, &done) || errors.Is(err, context.Canceled) {
		return err
	}
	e := &verdict.Error{Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s cannot be asked to %s", name, verb), Err: err,
		Remedy: "check the network, the address of the key and the credentials of this machine, then run the command again: nothing was recorded"}
	var r *Refusal
	if !errors.As(err, &r) {
		return e
	}
	switch {
	case r.Status == http.StatusUnauthorized, r.Status == http.StatusForbidden, strings.HasPrefix(r.Code, "AccessDenied"):
		e.What = fmt.Sprintf("%s does not let us %s", name, verb)
		e.Remedy = "give the identity that Verdict runs under " + rights + "; docs/keys.md has the whole policy"
	case r.Status == http.StatusNotFound:
		e.What, e.Remedy = name+" is not there", "correct the name or version of the key, or create it: docs/keys.md says how"
	case r.passing():
		e.What = fmt.Sprintf("%s is overloaded or down: it was asked %d times to %s", name, callAttempts, verb)
		e.Remedy = "run the command again in a while, or raise the quota of the key service: nothing was recorded"
	case r.Status >= 300 && r.Status < 400:
		e.What, e.Remedy = name+" is elsewhere: its service answers with a redirect, which is not followed with credentials", "name the address that answers itself"
	default:
		e.What = fmt.Sprintf("%s refuses to %s", name, verb)
		e.Remedy = "compare kind and settings of the key with docs/keys.md"
	}
	return e
}

// Disabled is the error for a key that is there and switched off.
func Disabled(name string, err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: name + " is disabled, expired or about to be deleted", Err: err,
		Remedy: "enable it again, or sign with another key and enroll that: docs/keys.md says how to rotate",
	}
}
