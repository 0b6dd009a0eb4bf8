package client

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/ledger"
	"verdict/server/wire"
)

// Mirror gives the log of the server to somebody who computes it again.
func (l *Ledger) Mirror() ledger.Afar { return mirror{l} }

// mirror asks for the bytes of a log. What they are worth, its reader finds out.
type mirror struct{ *Ledger }

// maxPiece bounds what is read of a tile or a checkpoint, in bytes.
const maxPiece = 64 << 10

// Shown gives what the bodies must come to, with the checkpoint that others are served
// beside: it is asked for first, so that what is shown then continues it.
func (m mirror) Shown(ctx context.Context) (ledger.Shown, error) {
	var s ledger.Shown
	public, err := m.c.send(ctx, call{method: http.MethodGet, path: "/log/checkpoint", bytes: true, limit: maxPiece})
	if err == nil {
		err = m.get(ctx, "/log/epochs", ask(), &s)
	}
	s.Others = []string{string(public)}
	return s, err
}

// KeyEvents gives the key events of entries from an index on.
func (m mirror) KeyEvents(ctx context.Context, from int64) ([]ledger.PlacedEvent, error) {
	var k wire.Keys
	if err := m.get(ctx, "/key-events", ask().number("from", from), &k); err != nil {
		return nil, err
	}
	out := make([]ledger.PlacedEvent, len(k.Events))
	for i, e := range k.Events {
		out[i] = ledger.PlacedEvent(e)
	}
	return out, nil
}

// Each calls each with the entries [from, to), page by page.
func (m mirror) Each(ctx context.Context, from, to int64, each func(ledger.Body) error) error {
	for from < to {
		var p wire.Bodies
		err := m.get(ctx, "/log/bodies", ask().number("from", from).number("at", to).number("limit", wire.MaxPage), &p)
		if err != nil {
			return err
		}
		for _, b := range p.Bodies {
			if err := each(b.Ledger()); err != nil {
				return err
			}
		}
		if p.Next == "" {
			return nil
		}
		next, err := strconv.ParseInt(p.Next, 10, 64)
		if err != nil || next <= from {
			return m.c.strange(fmt.Sprintf("its page of entries from %d on goes on at %.30q", from, p.Next), err)
		}
		from = next
	}
	return nil
}

// EpochTile gives a tile.
func (m mirror) EpochTile(ctx context.Context, epoch int64, t tlog.Tile) ([]byte, error) {
	var x wire.Tile
	err := m.get(ctx, "/log/epochs/"+strconv.FormatInt(epoch, 10)+"/tile", ask().text("tile", ledger.TilePath(t)), &x)
	return x.Tile, err
}

// Blob gives bytes by their digest. To who may read a part alone, what he may not read is as
// what is lost: which of the two it is he cannot tell.
func (m mirror) Blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	b, err := m.Ledger.Blob(ctx, d)
	if err != nil && m.c.Part() && verdict.AsError(err).Code == verdict.CodeNotFound {
		err = &verdict.Error{
			Code: verdict.CodeUnavailable, What: fmt.Sprintf("the server does not give %s to who may read a part of its log alone", d.Short()),
			Remedy: "have an admin give you a role that reads everything: verdict roles grant SUBJECT auditor --service '*' --team '*' --environment '*' --reason TEXT", Err: err,
		}
	}
	return b, err
}
