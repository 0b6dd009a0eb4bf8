package client

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/url"

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

// Document asks for the document that a command writes.
func (c *Client) Document(ctx context.Context, path string, query url.Values, into any) error {
	return c.get(ctx, wire.Prefix+path, query, into)
}

// Remove takes something away, and gives the document of what is left.
func (c *Client) Remove(ctx context.Context, path string, query url.Values, into any) error {
	return c.ask(ctx, call{method: http.MethodDelete, path: wire.Prefix + path, query: query, wait: wire.WorkTime}, into)
}

// Upload sends bytes as they are, from open, which is asked again for each attempt, and gives the
// document of what was done with them.
func (c *Client) Upload(ctx context.Context, path string, query url.Values, open func() (io.ReadCloser, error), into any) error {
	return c.ask(ctx, call{method: http.MethodPut, path: wire.Prefix + path, query: query, kind: "application/octet-stream", open: open, wait: wire.WorkTime}, into)
}
