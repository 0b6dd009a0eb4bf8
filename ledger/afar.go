package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/blob"
	"verdict/store"
)

// Afar is a log that somebody else keeps, as he shows it. Nothing that it gives is believed:
// it is computed again here. All methods may be called at the same time.
type Afar interface {
	// Shown gives what the bodies must come to.
	Shown(ctx context.Context) (Shown, error)
	// KeyEvents gives the key events of entries from an index on, in the log's order.
	KeyEvents(ctx context.Context, from int64) ([]PlacedEvent, error)
	// Each calls each with the entries [from, to), in the log's order and each at most once.
	Each(ctx context.Context, from, to int64, each func(Body) error) error
	// EpochTile gives a tile of an epoch, as C2SP tlog-tiles has it. One that is not there is
	// an *verdict.Error with CodeNotFound.
	EpochTile(ctx context.Context, epoch int64, t tlog.Tile) ([]byte, error)
	// Blob gives bytes by their digest, held against it.
	Blob(ctx context.Context, d verdict.Digest) ([]byte, error)
}

// there reads a log that somebody else keeps.
type there struct{ Afar }

func (s there) piece(ctx context.Context, h store.Head, p *piece, end int64) error {
	leaf := p.from - h.Base
	var tiles []store.Tile
	for n := leaf >> tileHeight; n<<tileHeight < end-h.Base; n++ {
		tiles = append(tiles, store.Tile{N: n})
	}
	err := s.tiles(ctx, h, tiles)
	for _, t := range tiles {
		p.tile(h, t)
	}
	if err == nil {
		err = s.rows(ctx, p.from, end, func(r row) error {
			p.gone(r.Seq)
			p.entry(ctx, r)
			return ctx.Err()
		})
	}
	if err != nil && ctx.Err() == nil {
		e := verdict.AsError(err)
		return &verdict.Error{Code: e.Code, What: fmt.Sprintf("the entries from %d on could not be checked: %s", p.from+int64(len(p.leaves)), e.What), Remedy: e.Remedy, Err: e.Err}
	}
	p.gone(end)
	return err
}

func (s there) rows(ctx context.Context, from, to int64, each func(row) error) error {
	next := from
	return s.Each(ctx, from, to, func(b Body) error {
		if b.Index < next || b.Index >= to {
			return contradicts("it gives entry %d among those from %d to %d", b.Index, next, to-1)
		}
		next = b.Index + 1
		return each(rowOf(b))
	})
}

func (s there) tiles(ctx context.Context, h store.Head, tiles []store.Tile) error {
	for i, t := range tiles {
		want := tlog.Tile{H: tileHeight, L: int(t.Level), N: t.N, W: int(min(tileWidth, h.Size>>(tileHeight*t.Level)-t.N<<tileHeight))}
		data, err := s.EpochTile(ctx, h.Epoch, want)
		if err != nil && verdict.AsError(err).Code != verdict.CodeNotFound {
			return err
		}
		if err == nil && len(data) == want.W*tlog.HashSize {
			tiles[i].Data = data
		}
	}
	return nil
}

func (s there) payload(_ context.Context, r row) ([]byte, error) {
	if r.given.Payload == nil {
		return nil, fmt.Errorf("%w: %s", errCannot, first(r.given.Why, "the server does not give it"))
	}
	return r.given.Payload, nil
}

func (s there) foreign(_ context.Context, r row) ([]byte, error) {
	sum := sha256.Sum256(r.given.Foreign)
	switch {
	case r.given.Foreign == nil:
		return nil, fmt.Errorf("%w: %s", errCannot, first(r.given.Why, "the server does not give it"))
	case hex.EncodeToString(sum[:]) != verdict.Digest(r.ForeignDigest).Hex():
		return nil, fmt.Errorf("the foreign bundle of entry %d is not the one that its ingestion names", r.Seq)
	}
	return r.given.Foreign, nil
}

func (s there) blob(ctx context.Context, d verdict.Digest) ([]byte, error) {
	b, err := s.Blob(ctx, d)
	if err == nil {
		return b, nil
	}
	switch verdict.AsError(err).Code {
	case verdict.CodeNotFound:
		return nil, fmt.Errorf("the server has no blob %s: %w", d.Short(), blob.ErrNotFound)
	case verdict.CodeRefused:
		return nil, fmt.Errorf("%w: %w", err, blob.ErrCorrupt)
	}
	return nil, err
}

// rowOf is the row of the index that somebody lists for an entry.
func rowOf(b Body) row {
	r := row{Entry: store.Entry{Seq: b.Index, ToSeq: store.Open, Leaf: b.Leaf, Signature: b.Signature}, given: &b}
	e := b.Entry
	if e == nil {
		return r
	}
	if e.Pruned {
		r.ToSeq = e.Tombstone
	}
	r.At, r.Kind, r.PredicateType, r.Producer, r.Signer = micros(e.At), string(e.Kind), e.PredicateType, e.Producer, e.Signer
	c := e.Context
	r.Service, r.Team, r.Environment, r.Point, r.Run, r.Actor, r.Said, r.Retention = c.Service, c.Team, c.Environment, c.Point, c.Run, c.Actor, micros(c.At), c.Retention
	r.ForeignOrigin, r.ForeignSeq, r.Size = e.Origin, e.Source, int64(len(b.Payload))
	// What cannot be read is compared as it is, and differs.
	r.Subjects = "unreadable"
	if s, err := json.Marshal(e.Subjects); err == nil {
		r.Subjects = string(s)
	}
	r.Digest, _ = hexOf(e.Digest)
	r.Identity, _ = hexOf(e.Identity)
	return r
}

// unlisted takes from the body what nobody lists of an entry.
func (r *row) unlisted(want *projection) {
	r.Blobs, r.Bills = want.entry.Blobs, want.entry.Bills
	if r.given.Entry.Foreign == (want.entry.ForeignDigest != "") {
		r.ForeignDigest = want.entry.ForeignDigest
	} else {
		r.ForeignDigest = "listed as what it is not"
	}
}

// foreignGiven checks the foreign bundle that came with an entry.
func (p *piece) foreignGiven(ctx context.Context, r row, want *projection) {
	if want.foreign == nil {
		return
	}
	r.ForeignDigest = want.entry.ForeignDigest
	switch _, err := p.x.from.foreign(ctx, r); {
	case errors.Is(err, errCannot):
		p.unchecked = append(p.unchecked, Problem{Index: r.Seq, What: fmt.Sprintf("the foreign bundle of entry %d could not be checked: %v", r.Seq, err), Remedy: remedyBlobs})
	case err != nil:
		p.problem(r.Seq, "%v", err)
	}
}

// heads reads what is shown of the epochs, and holds the checkpoint against it. Sizes and
// places are held against the bodies later.
func (s Shown) heads() ([]store.Head, Checkpoint, error) {
	if len(s.Epochs) == 0 || len(s.Epochs) > maxEpochs {
		return nil, Checkpoint{}, contradicts("it shows a log of %d epochs", len(s.Epochs))
	}
	var out []store.Head
	for _, e := range s.Epochs {
		h := store.Head{Epoch: e.Epoch, Origin: e.Origin, Key: e.Key, Base: e.Base, Size: e.Size, Root: e.Root[:], Opened: micros(e.Opened), Latest: micros(e.Latest), Previous: e.Previous}
		if _, err := verifierOf(h); err != nil || !plainHost(h.Origin) {
			return nil, Checkpoint{}, contradicts("the verifier key (%.200s) that it gives for %.100q is none of that name", h.Key, h.Origin)
		}
		if h.Base < 0 || h.Size < 0 || h.Base > maxPosition || h.Size > maxPosition {
			return nil, Checkpoint{}, contradicts("it gives %s %d entries from %d on", h.Origin, h.Size, h.Base)
		}
		out = append(out, h)
	}
	open := out[len(out)-1]
	tree, err := openCheckpoint(s.Checkpoint, open)
	if err != nil {
		return nil, Checkpoint{}, contradicts("its checkpoint of %s is not signed with the key that it gives for it: %v", open.Origin, err)
	}
	if tree != treeOf(open) {
		return nil, Checkpoint{}, contradicts("its checkpoint of %s is one of %d entries with the root %s, and it says that there are %d with the root %s", open.Origin, tree.N, tree.Hash, open.Size, tlog.Hash(open.Root))
	}
	signed, err := bare(s.Checkpoint, open, tree)
	if err != nil {
		return nil, Checkpoint{}, err
	}
	return out, Checkpoint{Origin: open.Origin, Size: tree.N, Root: tree.Hash, Position: Position(open.Base + tree.N), Note: signed}, nil
}

// bare is a checkpoint with the log's own signature and nothing more: it is kept, and what else
// a server writes into it or under it would fill the place where it is.
func bare(signed string, h store.Head, tree tlog.Tree) (string, error) {
	v, err := note.NewVerifier(h.Key)
	if err != nil {
		return "", err
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return "", err
	}
	if n.Text != checkpointText(h.Origin, tree) {
		return "", contradicts("its checkpoint of %s says more than a checkpoint does", h.Origin)
	}
	return n.Text + "\n" + signatureLine(n.Sigs[0]), nil
}

// maxPosition bounds what somebody else says that he has.
const maxPosition = 1 << 53

func openCheckpoint(signed string, h store.Head) (tlog.Tree, error) {
	v, err := note.NewVerifier(h.Key)
	if err != nil {
		return tlog.Tree{}, err
	}
	return parseCheckpoint(signed, h.Origin, v)
}

const remedyAfar = "keep this answer (-o json); hold the log against a checkpoint that was kept elsewhere (--against FILE), and have its operator run verdict log verify where its data is"

// contradicts refuses what somebody else shows.
func contradicts(format string, a ...any) error {
	return &verdict.Error{Code: verdict.CodeRefused, What: "what the server shows does not hold: " + fmt.Sprintf(format, a...), Remedy: remedyAfar}
}

// keysOf folds the key events that somebody else gives. Each is held against its entry.
func keysOf(ctx context.Context, a Afar) (*keyring, error) {
	events, err := a.KeyEvents(ctx, 0)
	if err != nil {
		return nil, err
	}
	k := newKeyring()
	steps := make([]keyStep, len(events))
	for i, e := range events {
		if i > 0 && e.Index <= events[i-1].Index {
			return nil, contradicts("its key events are in no order")
		}
		steps[i] = keyStep{e.Index, e.At, e.Signer, e.Event}
	}
	if k, err = foldKeys(steps, k.public); err != nil {
		return nil, contradicts("its key events do not make a history: %v", err)
	}
	return k, nil
}
