package client

import (
	"context"
	"net/url"

	"verdict/server/wire"
)

// State has the server sign what the caller says as a person, at a path below wire.Prefix, and
// gives the document that it answers with. It is done once, however often it has to be sent.
func (c *Client) State(ctx context.Context, path string, said, into any) error {
	return c.post(ctx, wire.Prefix+path, said, into)
}

// Exception gives the document about one exception.
func (c *Client) Exception(ctx context.Context, id string, into any) error {
	return c.get(ctx, wire.Prefix+"/exceptions/"+url.PathEscape(id), nil, into)
}
