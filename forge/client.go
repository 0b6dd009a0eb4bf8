package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"verdict"
	"verdict/outward"
)

// Limits of one question to a forge.
const (
	maxAnswer    = 32 << 20 // bytes of one answer, unpacked
	maxPages     = 100
	maxItems     = 10_000      // of one list
	ownPause     = time.Minute // after a throttle that names no time, as GitHub asks
	tries        = 4
	mostMessage  = 200 // bytes of what a forge says about a refusal
	maxRedirects = 3
)

// MostRequests is how many requests of one commit are read. Each costs several questions.
const MostRequests = 50

// PageSize is how many items a list is asked for at a time: the most that GitHub and
// GitLab give.
const PageSize = 100

// Options are what a reader takes from its surroundings. The zero value is ready to use.
type Options struct {
	Transport http.RoundTripper                          // nil: the system's, with its proxies
	Now       func() time.Time                           // nil: the clock
	Wait      func(context.Context, time.Duration) error // nil: until the time is over or the context ends
	Timeout   time.Duration                              // of one try with its body; 0: 30 s
	Patience  time.Duration                              // for throttles, summed over one call; 0: 2 min
}

// API is the REST API of one forge.
type API struct {
	Forge     string
	Base      string
	Authorize func(http.Header)       // puts the token in; nothing else of the client knows it
	Remedy    func(status int) string // which right a refused token lacks
}

// Client asks one host and no other: the token never leaves for another one. It is safe
// for concurrent use.
type Client struct {
	api  API
	base *url.URL
	http *http.Client
	opts Options
}

// NewClient checks the base address. One that is neither https nor http on this machine
// is an *verdict.Error with CodeUsage.
func NewClient(api API, o Options) (*Client, error) {
	u, err := url.Parse(api.Base)
	if err != nil || !outward.Safe(u) {
		return nil, &verdict.Error{
			Code: verdict.CodeUsage, What: fmt.Sprintf("%.200q cannot be the address of a forge's API", api.Base),
			Remedy: "give an https address without user, query or fragment, such as https://api.github.com, https://dev.azure.com/ORGANISATION or https://gitlab.example.com/api/v4",
		}
	}
	api.Base = strings.TrimRight(api.Base, "/")
	c := &Client{api: api, base: u, opts: o}
	if c.opts.Now == nil {
		c.opts.Now = time.Now
	}
	if c.opts.Wait == nil {
		c.opts.Wait = outward.Pause
	}
	if c.opts.Timeout == 0 {
		c.opts.Timeout = 30 * time.Second
	}
	if c.opts.Patience == 0 {
		c.opts.Patience = 2 * time.Minute
	}
	c.http = &http.Client{Transport: o.Transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		if !c.ours(r.URL) || r.Method != http.MethodGet || len(via) > maxRedirects {
			return errRedirect
		}
		return nil
	}}
	return c, nil
}

var errRedirect = errors.New("redirect refused")

// ours reports whether an address is on the host that the token is for.
func (c *Client) ours(u *url.URL) bool { return u.Scheme == c.base.Scheme && u.Host == c.base.Host }

// Get reads the JSON document below the base address. The path is escaped already.
func (c *Client) Get(ctx context.Context, path string, into any) error {
	_, err := c.ask(ctx, call{method: http.MethodGet, address: c.api.Base + path, into: into})
	return err
}

// Send writes: what comes back is read into into, or not at all where that is nil. A POST
// whose answer leaves in doubt whether it was done is not repeated, and everything else
// is: the caller looks first and sends again. A state that does not allow it is an
// *verdict.Error with CodeConflict, what the forge cannot take one with CodeInvalid.
func (c *Client) Send(ctx context.Context, method, path string, what, into any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, call{method: method, address: c.api.Base + path, body: body, into: into, writes: true})
	return err
}

// Query asks a question that changes nothing but is too large for an address.
func (c *Client) Query(ctx context.Context, path string, question, into any) error {
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	_, err = c.ask(ctx, call{method: http.MethodPost, address: c.api.Base + path, body: body, into: into})
	return err
}

// List reads a list of GitHub or GitLab to its end: each page names the next one in its
// Link header (RFC 8288). A full page that names none is followed by its number, as a
// proxy between may have taken the header away. More than 10,000 items is an
// *verdict.Error with CodeLimit.
func List[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	sep := "?"
	if strings.Contains(path, "?") {
		sep = "&"
	}
	numbered := func(n int) string {
		return fmt.Sprintf("%s%s%sper_page=%d&page=%d", c.api.Base, path, sep, PageSize, n)
	}
	out := []T{}
	address := numbered(1)
	for page := 1; page <= maxPages && len(out) <= maxItems; page++ {
		var items []T
		h, err := c.ask(ctx, call{method: http.MethodGet, address: address, into: &items})
		if err != nil {
			return nil, err
		}
		out = append(out, items...)
		next := nextLink(h)
		switch {
		case next != "":
			u, err := c.base.Parse(next)
			if err != nil || !c.ours(u) {
				return nil, c.astray(address)
			}
			address = u.String()
		case len(items) >= PageSize:
			address = numbered(page + 1)
		default:
			return out, nil
		}
	}
	return nil, TooMany(c.api.Forge, path, maxItems)
}

// TooMany is the error for a list that does not end within the limits.
func TooMany(forge, what string, most int) error {
	return &verdict.Error{
		Code: verdict.CodeLimit, What: fmt.Sprintf("%s lists more than %d entries at %.200q", forge, most, what),
		Remedy: "name the request that is meant; one of this size is read by no person either, so divide it",
	}
}

// nextLink is the address of the next page in a Link header, or "".
func nextLink(h http.Header) string {
	for _, v := range h.Values("Link") {
		for item := range strings.SplitSeq(v, ",") {
			target, rest, ok := strings.Cut(strings.TrimSpace(item), ">")
			if !ok || !strings.HasPrefix(target, "<") {
				continue
			}
			for p := range strings.SplitSeq(rest, ";") {
				if p = strings.TrimSpace(p); p == `rel="next"` || p == "rel=next" {
					return target[1:]
				}
			}
		}
	}
	return ""
}

// Continued asks for one document of a list that goes on with a token in the header
// x-ms-continuationtoken, as Azure's do, and gives that token.
func (c *Client) Continued(ctx context.Context, path string, into any) (next string, err error) {
	h, err := c.ask(ctx, call{method: http.MethodGet, address: c.api.Base + path, into: into})
	return h.Get("X-Ms-Continuationtoken"), err
}

// call is one question to the forge, or one thing that is written there.
type call struct {
	method, address string
	body            []byte
	into            any  // nil: the answer is of no interest
	writes          bool // any answer below 300 will do, and need not be JSON
}

// ask tries until there is an answer or no hope. What it returns is nil, the context's
// error, or an *verdict.Error.
func (c *Client) ask(ctx context.Context, q call) (http.Header, error) {
	var waited time.Duration
	for try := 1; ; try++ {
		h, err := c.once(ctx, q)
		var again *passing
		if err == nil || !errors.As(err, &again) {
			return h, err
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		pause := max(again.pause, time.Second<<(try-1))
		doubtful := q.writes && q.method == http.MethodPost && !again.throttled
		if try == tries || doubtful || waited+pause > c.opts.Patience {
			e := &verdict.Error{
				Code: verdict.CodeUnavailable, What: fmt.Sprintf("%s does not answer %s", c.api.Forge, c.short(q.address)),
				Remedy: "run it again later; if it stays so, look at the forge's status page and at the proxy between", Err: again.err,
			}
			if again.throttled {
				e.What = fmt.Sprintf("%s throttles this token, for another %v", c.api.Forge, pause.Round(time.Second))
				e.Remedy = "run it again when that time is over, or give a token of its own, which has its own limit, as VERDICT_FORGE_TOKEN"
				e.Err = &Throttle{For: pause, Said: again.Error()}
			}
			return nil, e
		}
		if err := c.opts.Wait(ctx, pause); err != nil {
			return nil, err
		}
		waited += pause
	}
}

// passing is a failure that may be over the next time.
type passing struct {
	err       error
	pause     time.Duration // that the forge asks for
	throttled bool
}

func (p *passing) Error() string { return p.err.Error() }

// Throttle is the cause of an error that says that the forge wants to be left alone for a
// while.
type Throttle struct {
	For  time.Duration
	Said string
}

// Error is what the forge said.
func (t *Throttle) Error() string { return t.Said }

func (c *Client) once(ctx context.Context, q call) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.opts.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, q.method, q.address, bytes.NewReader(q.body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "verdict")
	req.Header.Set("Accept", "application/json")
	if q.body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if c.api.Authorize != nil {
		c.api.Authorize(req.Header)
	}
	resp, err := c.http.Do(req)
	if errors.Is(err, errRedirect) {
		return nil, c.astray(q.address)
	} else if errors.Is(err, ErrInternal) {
		return nil, c.inside(err)
	} else if err != nil {
		return nil, &passing{err: err}
	}
	defer resp.Body.Close()
	if err := c.refusal(q, resp); err != nil {
		return nil, err
	}
	if q.into == nil {
		return resp.Header, nil
	}
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return nil, &passing{err: err}
	}
	if len(b) > maxAnswer {
		return nil, &verdict.Error{
			Code: verdict.CodeLimit, What: fmt.Sprintf("%s answers %s with more than %d bytes", c.api.Forge, c.short(q.address), maxAnswer),
			Remedy: "check that the address of the API is right; a request of this size has to be divided",
		}
	}
	if err := json.Unmarshal(b, q.into); err != nil {
		var syntax *json.SyntaxError
		if errors.As(err, &syntax) { // cut short, perhaps
			return nil, &passing{err: fmt.Errorf("the answer is no JSON: %w", err)}
		}
		return nil, c.Strange(fmt.Errorf("%s: %w", c.short(q.address), err))
	}
	return resp.Header, nil
}

// Strange is the error for an answer whose shape or words are not those of the API.
func (c *Client) Strange(err error) error {
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: "the answer of " + c.api.Forge + " is not understood",
		Remedy: "check that the address of the API is right and that the forge's version is supported; if both hold, report it with the text above", Err: err,
	}
}

func (c *Client) astray(address string) error {
	return &verdict.Error{
		Code:   verdict.CodeUnavailable,
		What:   fmt.Sprintf("%s sends %s on to another place, and that is not followed: the token is for one host", c.api.Forge, c.short(address)),
		Remedy: "if the forge or the repository moved, give the new address of its API or the new name of the repository",
	}
}

// short is an address for people: without the query, which may carry a page's cursor.
func (c *Client) short(address string) string {
	path, _, _ := strings.Cut(strings.TrimPrefix(address, c.api.Base), "?")
	return fmt.Sprintf("%.200q", path)
}
