package client

import (
	"context"
	"encoding/json"
	"net/http"

	"verdict/server/wire"
)

// Work has the server do something that somebody waits for, for up to wire.WorkTime, and gives
// the document of it. It is sent once: what fails is told, and for who asked to ask again.
func (c *Client) Work(ctx context.Context, path string, body, into any) error {
	q := call{method: http.MethodPost, path: wire.Prefix + path, wait: wire.WorkTime}
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return err
		}
		q.kind, q.body = "application/json", b
	}
	return c.ask(ctx, q, into)
}
