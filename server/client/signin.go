package client

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"verdict/identity"
	"verdict/server/wire"
)

// Session is what a server gives for a token, an assertion or a code.
type Session struct {
	Token   string    `json:"token"`
	Expires time.Time `json:"expires"`
	// Caller is who that is, with the roles of this moment.
	Caller identity.Caller `json:"caller"`
}

// Exchange signs in: credential is the body of POST /api/v1/token.
func (c *Client) Exchange(ctx context.Context, credential any) (Session, error) {
	b, err := json.Marshal(credential)
	if err != nil {
		return Session{}, err
	}
	var s Session
	err = c.ask(ctx, call{method: http.MethodPost, path: wire.Prefix + "/token", kind: "application/json", body: b, anonymous: true, limit: maxProblem}, &s)
	if err == nil && s.Token == "" {
		err = c.strange("it gives no token for a sign-in", nil)
	}
	return s, err
}

// SignOut ends the session whose token the requests carry.
func (c *Client) SignOut(ctx context.Context) error {
	_, err := c.send(ctx, call{method: http.MethodDelete, path: wire.Prefix + "/session", bytes: true})
	return err
}
