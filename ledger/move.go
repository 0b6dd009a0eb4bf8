package ledger

import (
	"context"
	"errors"
	"fmt"

	"verdict"
	"verdict/blob"
	"verdict/store"
)

// errMoved: the log goes on in another database.
var errMoved = errors.New("the log was moved")

// moved refuses a database that was left: what it says is from before.
func moved(h store.Head) error {
	if h.Moved == "" {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the log %s was moved: it goes on in %s", h.Origin, h.Moved),
		Remedy: "name that database with --database REF or VERDICT_DATABASE; nothing is recorded here any more", Err: errMoved,
	}
}

// Move is how a log moves to another database.
type Move struct {
	To    *store.Store // empty; it stays open
	Place string       // its address, without secrets: kept in the source
	// Blobs is where blobs are copied to, nil when they stay where they are.
	Blobs blob.Store
	// Progress is told what is being done and how much of it: rows of a table, blobs,
	// entries verified.
	Progress func(what string, n int64)
}

// Moved is what a move did.
type Moved struct {
	Checkpoint Checkpoint   `json:"checkpoint"` // of the source, which the target answered too
	Rows       int64        `json:"rows"`
	Blobs      int64        `json:"blobs"`
	Verified   VerifyReport `json:"verified"` // of the target
}

// Move copies the log into an empty database, verifies it there from its bodies to its
// tree, against this process's anchor and the checkpoint of the source, and then closes
// the source: it takes no entry any more and answers nothing. Whatever goes wrong before
// leaves the source as it is, and a move that broke off is begun again. Nobody appends to
// the source meanwhile.
func (l *Ledger) Move(ctx context.Context, m Move) (Moved, error) {
	var out Moved
	if l.refusal != nil {
		return out, l.refusal
	}
	if m.Blobs != nil {
		if err := l.moveBlobs(ctx, m, &out); err != nil {
			return out, err
		}
	}
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return out, err
	}
	rows := map[string]int64{}
	err = l.store.Move(ctx, m.To, store.Moving{
		Place: m.Place, At: micros(l.o.Now()),
		Progress: func(table string, n int64) { rows[table] = n; m.Progress(table, n) },
		Check: func(ctx context.Context) error {
			return l.checkMoved(ctx, m, c, &out)
		},
	})
	for _, n := range rows {
		out.Rows += n
	}
	if errors.Is(err, store.ErrNotEmpty) {
		err = &verdict.Error{
			Code: verdict.CodeConflict, What: "the database " + m.Place + " holds something already",
			Remedy: "name a database without tables: createdb makes one; if an earlier move broke off there and this log has grown since, drop that database and make it again", Err: err,
		}
	}
	return out, err
}

// moveBlobs copies what lies beside the log. A blob that is put twice is there once, so
// that a copy that broke off is done again.
func (l *Ledger) moveBlobs(ctx context.Context, m Move, out *Moved) error {
	return l.blobs.List(ctx, func(i blob.Info) error {
		b, err := l.blobs.Get(ctx, i.Digest)
		if err != nil {
			return fmt.Errorf("blob %s: %w", i.Digest, err)
		}
		if _, err := m.Blobs.Put(ctx, b); err != nil {
			return fmt.Errorf("blob %s: %w", i.Digest, err)
		}
		out.Blobs++
		m.Progress("blobs", out.Blobs)
		return nil
	})
}

// checkMoved opens the target as any process will, and verifies it.
func (l *Ledger) checkMoved(ctx context.Context, m Move, before Checkpoint, out *Moved) error {
	o := l.o
	o.Store = m.To.Shared()
	if m.Blobs != nil {
		o.Blobs = m.Blobs
	}
	target, err := Open(ctx, o)
	if err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	defer target.Close()
	// Between the checkpoint of the source and the copy it may have grown: the copy was made
	// under its lock, so it has all of that.
	if out.Checkpoint, err = target.Checkpoint(ctx); err != nil {
		return fmt.Errorf("the target: %w", err)
	}
	out.Verified, err = target.Verify(ctx, VerifyOptions{
		Signatures: true, Against: []byte(before.Note), Progress: func(done, _ int64) { m.Progress("verified", done) },
	})
	if err != nil {
		return fmt.Errorf("verify the target: %w", err)
	}
	if len(out.Verified.Problems) > 0 {
		return out.Verified.Err()
	}
	return nil
}
