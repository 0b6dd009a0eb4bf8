package server

import (
	"context"
	"errors"

	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
)

// By these routes somebody who believes nothing computes the whole log again. Tiles and
// leaves hold digests, signatures and public keys, and are for everybody who reads; what
// else an entry holds, only for those in whose scope it lies.

// maxBodies bounds the bytes of a page of bodies that has more than one: who takes it no faster
// than he has to has it, as base64, within the time of a request.
const maxBodies = 2 << 20

func (b *shelf) shown(ctx context.Context, _ identity.Caller, _ *struct{}) (*out[ledger.Shown], error) {
	return answerOf(b.ledger.Shown(ctx))
}

// errFull ends a page.
var errFull = errors.New("the page is full")

func (b *shelf) bodies(ctx context.Context, c identity.Caller, q *span) (*out[wire.Bodies], error) {
	p := wire.Bodies{Bodies: []wire.LogBody{}}
	end, err := b.ledger.Position(ctx)
	if err != nil {
		return nil, err
	}
	if q.At >= 0 {
		end = min(end, q.position())
	}
	seen, err := b.seen(ctx, c)
	if err != nil {
		return nil, err
	}
	size := 0
	err = seen.Bodies(ctx, max(q.From, q.Page.from()), int64(end), func(x ledger.Body) error {
		size += len(x.Payload) + len(x.Foreign) + len(x.Leaf)
		if len(p.Bodies) == q.Limit || len(p.Bodies) > 0 && size > maxBodies {
			p.Next = cursor(x.Index)
			return errFull
		}
		p.Bodies = append(p.Bodies, wire.BodyOf(x))
		return nil
	})
	if errors.Is(err, errFull) {
		err = nil
	}
	return answerOf(p, err)
}

// epochTile is a tile of an epoch by its number: those of closed ones are not below /log.
type epochTile struct {
	Epoch int64  `path:"epoch" minimum:"1" doc:"number of the epoch, from 1"`
	Tile  string `query:"tile" required:"true" maxLength:"100" doc:"its path, as C2SP tlog-tiles has it"`
}

func (b *shelf) tile(ctx context.Context, _ identity.Caller, q *epochTile) (*out[wire.Tile], error) {
	t, err := ledger.ParseTilePath(q.Tile)
	if err != nil {
		return nil, err
	}
	data, err := b.ledger.EpochTile(ctx, q.Epoch, t)
	return answerOf(wire.Tile{Tile: data}, err)
}

func (s *Server) logRoutes(b *shelf, get func(path, id, summary, about string) Operation, open string) {
	Route(s, get("/log/epochs", "log-epochs", "The epochs of the log, with what its bodies must come to", open), b.shown)
	Route(s, get("/log/bodies", "log-bodies", "What the leaves of the log are computed from, in its order", "Of an entry outside of the caller's scope there is the leaf alone."), b.bodies)
	Route(s, get("/log/epochs/{epoch}/tile", "log-epoch-tile", "A tile of an epoch", open), b.tile)
}
