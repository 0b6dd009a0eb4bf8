package registry

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"verdict"
)

// maxToken bounds what a token service answers.
const maxToken = 1 << 20

// challenge is a WWW-Authenticate header (RFC 9110, 11.6.1) of the kinds that registries use.
type challenge struct {
	scheme                string // "basic", "bearer"
	realm, service, scope string
}

// parseChallenge finds the first challenge that we know.
func parseChallenge(headers []string) (challenge, bool) {
	for _, h := range headers {
		scheme, rest, _ := strings.Cut(strings.TrimSpace(h), " ")
		c := challenge{scheme: strings.ToLower(scheme)}
		if c.scheme == "basic" {
			return c, true
		}
		if c.scheme != "bearer" {
			continue
		}
		for k, v := range parameters(rest) {
			switch k {
			case "realm":
				c.realm = v
			case "service":
				c.service = v
			case "scope":
				c.scope = v
			}
		}
		return c, c.realm != ""
	}
	return challenge{}, false
}

// parameters reads name="value" pairs, divided by commas.
func parameters(s string) map[string]string {
	out := map[string]string{}
	for s = strings.TrimLeft(s, " ,"); s != ""; s = strings.TrimLeft(s, " ,") {
		name, rest, ok := strings.Cut(s, "=")
		if !ok {
			return out
		}
		name, rest = strings.ToLower(strings.TrimSpace(name)), strings.TrimSpace(rest)
		var value strings.Builder
		if strings.HasPrefix(rest, `"`) {
			i := 1
			for ; i < len(rest) && rest[i] != '"'; i++ {
				if rest[i] == '\\' && i+1 < len(rest) {
					i++
				}
				value.WriteByte(rest[i])
			}
			s = rest[min(i+1, len(rest)):]
		} else {
			v, after, _ := strings.Cut(rest, ",")
			value.WriteString(strings.TrimSpace(v))
			s = after
		}
		out[name] = value.String()
	}
	return out
}

// authorize answers a challenge of the registry, and keeps the answer for what follows.
// The credentials go to the registry, or to the token service that the registry names, as
// the distribution protocol has it; never to where a redirect leads.
func (c *Client) authorize(ctx context.Context, ch challenge, scope string) error {
	if ch.scheme == "basic" {
		if c.secret.user == "" {
			return c.forbidden(errors.New("it asks for a user and a password"))
		}
		req := &http.Request{Header: http.Header{}}
		req.SetBasicAuth(c.secret.user, c.secret.password)
		c.authorization = req.Header.Get("Authorization")
		return nil
	}
	realm, err := url.Parse(ch.realm)
	if err != nil || realm.Host == "" || realm.User != nil {
		return c.astray(fmt.Errorf("its token service is %.100q", ch.realm))
	}
	if ch.scope == "" {
		ch.scope = scope
	}
	ctx, end := context.WithTimeout(ctx, answerWithin)
	defer end()
	req, err := c.tokenRequest(ctx, realm, ch)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return c.failed("its token service", err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(resp.Body, maxToken))
	if err != nil {
		return c.failed("its token service", err)
	}
	if resp.StatusCode != http.StatusOK {
		return c.forbidden(fmt.Errorf("its token service answers %s", resp.Status))
	}
	var answer struct {
		Token       string `json:"token"`
		AccessToken string `json:"access_token"`
	}
	if err := json.Unmarshal(raw, &answer); err != nil || answer.Token == "" && answer.AccessToken == "" {
		return c.forbidden(errors.New("its token service gives no token"))
	}
	if answer.Token == "" {
		answer.Token = answer.AccessToken
	}
	c.authorization = "Bearer " + answer.Token
	return nil
}

// tokenRequest asks for a token: with a refresh token as OAuth 2 has it, else by GET.
func (c *Client) tokenRequest(ctx context.Context, realm *url.URL, ch challenge) (*http.Request, error) {
	if c.secret.refresh != "" {
		form := url.Values{"grant_type": {"refresh_token"}, "refresh_token": {c.secret.refresh}, "service": {ch.service}, "scope": {ch.scope}, "client_id": {"verdict"}}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, realm.String(), strings.NewReader(form.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			req.Header.Set("User-Agent", "verdict")
		}
		return req, err
	}
	q := realm.Query()
	q.Set("service", ch.service)
	for s := range strings.SplitSeq(ch.scope, " ") {
		q.Add("scope", s)
	}
	realm.RawQuery = q.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, realm.String(), nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("User-Agent", "verdict")
	if c.secret.user != "" {
		req.SetBasicAuth(c.secret.user, c.secret.password)
	}
	return req, nil
}

func (c *Client) forbidden(err error) error {
	return &verdict.Error{
		Code: verdict.CodeForbidden, What: fmt.Sprintf("%s does not let us %s %s", c.ref.Host(), c.doing(), c.ref.Path()),
		Remedy: "run `docker login " + c.ref.Host() + "` (or set DOCKER_CONFIG to a folder with a config.json for exactly this host) with a right to this repository, and check its name", Err: err,
	}
}

func (c *Client) doing() string {
	if c.write {
		return "write to"
	}
	return "read"
}
