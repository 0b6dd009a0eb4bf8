package forge

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"time"

	"verdict"
)

// Refusal is the cause of an error that says that the forge will not tell, or not to
// this token.
type Refusal struct {
	Status  int
	Message string // the forge's own words, at most 200 bytes
}

// Error is the status with the forge's words.
func (r *Refusal) Error() string {
	if r.Message == "" {
		return fmt.Sprintf("status %d", r.Status)
	}
	return fmt.Sprintf("status %d: %.200q", r.Status, r.Message)
}

// Refused gives the refusal behind an error. Only those become Missing: everything else
// may go better the next time.
func Refused(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// refusal is nil for an answer with JSON in it.
func (c *Client) refusal(q call, resp *http.Response) error {
	address := q.address
	status := resp.StatusCode
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	isJSON := media == "application/json" || strings.HasSuffix(media, "+json")
	switch {
	case status == http.StatusOK && isJSON, q.writes && status < 300 && (isJSON || q.into == nil) && media != "text/html":
		return nil
	// Azure answers a bad token with its sign-in page, as 203 or as 200.
	case status == http.StatusNonAuthoritativeInfo, status == http.StatusOK && media == "text/html" && c.api.Forge == Azure:
		return c.refused(address, http.StatusUnauthorized, "")
	case status < 300:
		return c.Strange(fmt.Errorf("%s came as %.100q with status %d", c.short(address), media, status))
	case status < 400:
		return c.astray(address)
	}
	message := c.message(resp)
	pause, throttled := c.pauseOf(resp.Header)
	said := errors.New((&Refusal{status, message}).Error()) // the words and no refusal: it passes
	switch {
	case status == http.StatusForbidden && !throttled && strings.Contains(strings.ToLower(message), "rate limit"):
		return &passing{err: said, pause: ownPause, throttled: true}
	case status == http.StatusTooManyRequests, status == http.StatusForbidden && throttled:
		return &passing{err: said, pause: pause, throttled: true}
	case status >= 500, status == http.StatusRequestTimeout:
		return &passing{err: said, pause: pause}
	}
	err := c.refused(address, status, message)
	if e := verdict.AsError(err); q.writes && (status == http.StatusConflict || status == http.StatusUnprocessableEntity || status == http.StatusBadRequest) {
		return &verdict.Error{
			Code: writeCodes[status], What: fmt.Sprintf("%s does not take %s", c.api.Forge, c.short(address)),
			Remedy: "look at what the forge says of it; " + e.Remedy, Err: &Refusal{status, message},
		}
	}
	return err
}

// writeCodes says what it means that something cannot be written.
var writeCodes = map[int]verdict.Code{
	http.StatusConflict: verdict.CodeConflict, http.StatusUnprocessableEntity: verdict.CodeInvalid, http.StatusBadRequest: verdict.CodeInvalid,
}

func (c *Client) refused(address string, status int, message string) error {
	e := &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("%s refuses %s", c.api.Forge, c.short(address)),
		Remedy: c.api.Remedy(status), Err: &Refusal{status, message},
	}
	if status == http.StatusNotFound {
		e.Code, e.What = verdict.CodeNotFound, fmt.Sprintf("%s has no %s, or not for this token", c.api.Forge, c.short(address))
	}
	return e
}

// message is what the forge says about a refusal. GitHub and Azure say "message", GitLab
// that or "error". What repeats the token is not kept.
func (c *Client) message(resp *http.Response) string {
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<16))
	var said struct {
		Message json.RawMessage `json:"message"`
		Error   json.RawMessage `json:"error"`
	}
	if err != nil || json.Unmarshal(b, &said) != nil {
		return ""
	}
	raw := said.Message
	if len(raw) == 0 {
		raw = said.Error
	}
	var text string
	if json.Unmarshal(raw, &text) != nil {
		text = string(raw)
	}
	if c.holdsToken(text) {
		return ""
	}
	if len(text) > mostMessage {
		text = text[:mostMessage]
	}
	return strings.ToValidUTF8(text, "")
}

// holdsToken looks for what Authorize sends, also in its plain form.
func (c *Client) holdsToken(text string) bool {
	if c.api.Authorize == nil {
		return false
	}
	sent := &http.Request{Header: http.Header{}}
	c.api.Authorize(sent.Header)
	_, password, basic := sent.BasicAuth()
	if basic && password != "" && strings.Contains(text, password) {
		return true
	}
	for _, name := range []string{"Authorization", "Private-Token", "Job-Token"} {
		if f := strings.Fields(sent.Header.Get(name)); len(f) > 0 && strings.Contains(text, f[len(f)-1]) {
			return true
		}
	}
	return false
}

// pauseOf is how long a forge asks to wait, and whether the limit is used up. Retry-After
// is RFC 9110; x-ratelimit-* are GitHub's, ratelimit-* GitLab's.
func (c *Client) pauseOf(h http.Header) (pause time.Duration, empty bool) {
	const longest = 24 * time.Hour
	now := c.opts.Now()
	if v := h.Get("Retry-After"); v != "" {
		if s, err := strconv.ParseInt(v, 10, 32); err == nil && s >= 0 {
			return min(time.Duration(s)*time.Second, longest), true
		}
		if at, err := http.ParseTime(v); err == nil {
			return min(max(at.Sub(now), 0), longest), true
		}
	}
	for _, prefix := range []string{"X-Ratelimit-", "Ratelimit-"} {
		if h.Get(prefix+"Remaining") == "0" {
			if s, err := strconv.ParseInt(h.Get(prefix+"Reset"), 10, 64); err == nil {
				pause = min(max(time.Unix(s, 0).Sub(now)+time.Second, 0), longest)
			}
			return pause, true
		}
	}
	return 0, false
}
