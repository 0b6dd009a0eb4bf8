package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"

	"verdict/identity"
	"verdict/server/wire"
)

// Me is who the server takes the caller for.
func (c *Client) Me(ctx context.Context) (m wire.Me, err error) {
	return m, c.get(ctx, wire.Prefix+"/me", nil, &m)
}

// Roles lists the roles that the ledger gives.
func (c *Client) Roles(ctx context.Context) (r wire.Roles, err error) {
	return r, c.get(ctx, wire.Prefix+"/roles", nil, &r)
}

// GrantRole gives a role.
func (c *Client) GrantRole(ctx context.Context, q wire.RoleAsked) (r wire.RoleChanged, err error) {
	return r, c.post(ctx, wire.Prefix+"/roles", q, &r)
}

// RevokeRole takes a role, in every scope.
func (c *Client) RevokeRole(ctx context.Context, subject string, role identity.Role, reason string) (r wire.RoleChanged, err error) {
	q := url.Values{"subject": {subject}, "role": {string(role)}, "reason": {reason}}
	return r, c.ask(ctx, call{method: http.MethodDelete, path: wire.Prefix + "/roles", query: q}, &r)
}

// The kinds of what opens the door, as paths of the API have them.
const (
	Tokens   = "tokens"
	Sessions = "sessions"
)

// maxHeld is more than an installation has.
const maxHeld = 100_000

// Held lists API tokens or sessions: the caller's, or with all those of everybody.
func (c *Client) Held(ctx context.Context, kind string, all bool) (out []wire.Held, err error) {
	q := url.Values{}
	if all {
		q.Set("all", "true")
	}
	out = []wire.Held{}
	for {
		var page wire.HeldList
		if err := c.get(ctx, wire.Prefix+"/"+kind, q, &page); err != nil {
			return nil, err
		}
		if out = append(out, page.Items...); page.Next == "" || len(page.Items) == 0 {
			return out, nil
		}
		if page.Next == q.Get("after") || len(out) > maxHeld {
			return nil, c.strange("its list of "+kind+" has no end", nil)
		}
		q.Set("after", page.Next)
	}
}

// CreateToken makes an API token. It is sent once: a second one would be a second token.
func (c *Client) CreateToken(ctx context.Context, q wire.TokenAsked) (t wire.TokenMade, err error) {
	b, err := json.Marshal(q)
	if err != nil {
		return t, err
	}
	return t, c.ask(ctx, call{method: http.MethodPost, path: wire.Prefix + "/tokens", kind: "application/json", body: b}, &t)
}

// End revokes an API token or a session.
func (c *Client) End(ctx context.Context, kind, id string) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: wire.Prefix + "/" + kind + "/" + url.PathEscape(id), bytes: true})
	return err
}
