package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// Epoch is the predicate of the first leaf of a log that continues another one after a
// backup was restored or its key was lost. It names the last checkpoint that anybody
// saw, and what is missing between that and what survived.
type Epoch struct {
	Origin     string    `json:"origin"`
	Previous   string    `json:"previous"`      // origin of the last known checkpoint
	Checkpoint string    `json:"checkpoint"`    // that checkpoint, signed; empty: none is known
	Survived   int64     `json:"survived"`      // leaves of the epoch before that are still there
	Root       tlog.Hash `json:"survived_root"` // of the tree over them
	// Continues says whether they are the first leaves of that checkpoint: "yes", "no",
	// or "unknown" when leaves between them and the checkpoint are lost.
	Continues string `json:"continues"`
	LostFrom  int64  `json:"lost_from"` // positions [LostFrom, LostTo) were lost and stay empty
	LostTo    int64  `json:"lost_to"`
	Reason    string `json:"reason"`
}

// closedMark stands beside the anchor of a closed epoch and leads to the next one. A
// database in which that epoch is still open was put back from before.
type closedMark struct {
	Closed string `json:"closed"`
	Next   string `json:"next"`
	Key    string `json:"key"` // verifier key of the next epoch
	Base   int64  `json:"base"`
}

// maxMark bounds a closedMark, and maxEpochs a chain of them.
const (
	maxMark   = 4096
	maxEpochs = 1000
)

func markPath(dir, origin string) string { return filepath.Join(dir, origin+".closed") }

// readMark gives the mark of an origin, nil when it is not closed.
func readMark(dir, origin string) (*closedMark, error) {
	b, err := os.ReadFile(markPath(dir, origin))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	m := &closedMark{}
	if err == nil && len(b) <= maxMark {
		err = json.Unmarshal(b, m)
	}
	if err != nil || len(b) > maxMark || m.Closed != origin || !plainHost(m.Next) || m.Base < 0 {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: "the mark that closes " + origin + " beside its anchor cannot be read",
			Remedy: "put back " + markPath(dir, origin) + " from a backup; it says which log continues this one", Err: errors.Join(ErrAnchor, err),
		}
	}
	return m, nil
}

// writeMark closes the origin of the epoch before h, at once or not at all.
func writeMark(dir, closed string, h store.Head) error {
	b, err := json.Marshal(closedMark{Closed: closed, Next: h.Origin, Key: h.Key, Base: h.Base})
	if err != nil {
		return fmt.Errorf("mark of %s: %w", closed, err)
	}
	f, err := os.CreateTemp(dir, "."+closed+"-*")
	if err != nil {
		return fmt.Errorf("mark of %s: %w", closed, err)
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(b, '\n'))
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		if err = os.Rename(f.Name(), markPath(dir, closed)); err == nil {
			err = syncFolder(dir)
		}
	}
	if err != nil {
		return fmt.Errorf("mark of %s: %w", closed, err)
	}
	return nil
}

// closedBefore reports that the epoch of the head was closed before.
func closedBefore(dir string, h store.Head) error {
	m, err := readMark(dir, h.Origin)
	if err != nil || m == nil {
		return err
	}
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the database was set back: the log %s that it holds was closed, and %s continues it", h.Origin, m.Next),
		Remedy: "if a backup was restored, begin a new origin with verdict log epoch --from-backup; if not, somebody changed the database",
		Err:    ErrAnchor,
	}
}

// epochEnded: another process began a new epoch while this one ran.
func epochEnded(known, head store.Head) error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the log %s was closed while this process ran; %s continues it", known.Origin, head.Origin),
		Remedy: "run the command again, with the log key of the new epoch",
		Err:    ErrAnchor,
	}
}

// closePrevious makes sure that the epoch before the open one is marked as closed.
func (l *Ledger) closePrevious(ctx context.Context, head store.Head) error {
	if head.Epoch == 1 {
		return nil
	}
	var epochs []store.Head
	err := l.store.View(ctx, func(v *store.View) (err error) {
		epochs, err = v.Epochs(ctx)
		return err
	})
	if err != nil || len(epochs) < 2 {
		return err
	}
	closed := epochs[len(epochs)-2].Origin
	if m, err := readMark(l.o.AnchorDir, closed); err != nil || m != nil {
		return err
	}
	return writeMark(l.o.AnchorDir, closed, head)
}

// NewEpoch continues a log that cannot go on: its database is behind its anchor or
// contradicts it, or its key is lost. It closes the origin and begins a new one, named
// after the new log key, whose first leaf says what is missing. The ledger must be opened
// with Inspect and with the new key as LogKey, and closed and opened again afterwards. A
// log that can go on is left alone: CodeConflict.
func (l *Ledger) NewEpoch(ctx context.Context, reason string) (Epoch, error) {
	if l.refusal == nil {
		return Epoch{}, &verdict.Error{
			Code: verdict.CodeConflict, What: "the log agrees with its anchor and has its key: it needs no new epoch",
			Remedy: "go on with it; a new epoch is for a restored backup or a lost log key",
		}
	}
	if errors.Is(l.refusal, errMoved) {
		return Epoch{}, l.refusal
	}
	if l.o.Signer == nil {
		return Epoch{}, errors.New("new epoch: no signer")
	}
	var e Epoch
	var next store.Head
	var closed string
	err := l.store.BeginEpoch(ctx, func(v *store.View) (*store.Batch, error) {
		old, _, err := v.Head(ctx)
		if err != nil {
			return nil, err
		}
		if err = l.epochAfter(ctx, v, old, reason, &e); err != nil {
			return nil, err
		}
		from, err := newHead(l.o, old.Epoch+1, e.Origin, e.LostTo, e.Checkpoint)
		if err != nil {
			return nil, err
		}
		from.Latest = max(from.Latest, old.Latest)
		p, err := l.firstLeaf(ctx, v, from, e)
		if err != nil {
			return nil, err
		}
		next, closed = p.tail.head, old.Origin
		return p.rows(), nil
	})
	if err != nil {
		return Epoch{}, fmt.Errorf("new epoch: %w", err)
	}
	return e, l.anchorEpoch(closed, next)
}

// epochAfter describes the epoch that follows old.
func (l *Ledger) epochAfter(ctx context.Context, v *store.View, old store.Head, reason string, e *Epoch) error {
	vkey, err := evidence.VerifierKey(old.Origin, l.o.LogKey.Public())
	if err != nil {
		return err
	}
	if vkey == old.Key {
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "a new epoch needs a log key of its own, and the one given is that of " + old.Origin,
			Remedy: "use verdict log epoch, which makes one",
		}
	}
	*e = Epoch{
		Origin: DefaultOrigin(l.o.LogKey.Public()), Previous: old.Origin, Survived: old.Size, Root: tlog.Hash(old.Root),
		LostFrom: old.Base + old.Size, LostTo: old.Base + old.Size, Continues: "unknown", Reason: reason,
	}
	origin, key, base := old.Origin, old.Key, old.Base
	for range maxEpochs {
		verifier, err := note.NewVerifier(key)
		if err != nil {
			return fmt.Errorf("verifier key of %s: %w", origin, err)
		}
		a, err := openAnchor(l.o.AnchorDir, origin, verifier)
		if err != nil && !errors.Is(err, ErrAnchor) {
			return err
		}
		if err == nil {
			if tree, signed, known := a.latest(); known {
				e.Previous, e.Checkpoint = origin, signed
				e.LostTo = max(e.LostTo, base+tree.N)
				if origin == old.Origin {
					e.Continues = prefix(ctx, v, old, tree)
				}
			}
			a.close()
		}
		m, err := readMark(l.o.AnchorDir, origin)
		if err != nil || m == nil {
			return err
		}
		e.LostTo = max(e.LostTo, m.Base)
		origin, key, base = m.Next, m.Key, m.Base
	}
	return fmt.Errorf("the marks of closed epochs in %s lead in a circle", l.o.AnchorDir)
}

// prefix says whether what survived are the first leaves of a tree that was seen.
func prefix(ctx context.Context, v *store.View, old store.Head, seen tlog.Tree) string {
	switch {
	case old.Size < seen.N:
		return "unknown"
	case continues(ctx, v, old, seen, "the anchor") == nil:
		return "yes"
	}
	return "no"
}

// firstLeaf plans the statement that begins an epoch.
func (l *Ledger) firstLeaf(ctx context.Context, v *store.View, from store.Head, e Epoch) (*plan, error) {
	keys, err := l.keysSince(ctx, v, newKeyring())
	if err != nil {
		return nil, err
	}
	if _, err := keys.valid(l.o.Signer.KeyID(), from.Base); err != nil {
		return nil, err
	}
	p := &plan{from: from, old: &edge{}, at: from.Latest, tail: &tail{head: from, edge: &edge{}, keys: keys, receipt: -1}}
	x, err := l.own(ctx, verdict.KindEpoch, from.Origin, e, p.at)
	if err != nil {
		return nil, err
	}
	p.put(x)
	root, err := p.tail.edge.root()
	p.tail.head.Root = root[:]
	return p, err
}

// anchorEpoch makes the new epoch known outside the database and closes the old one.
func (l *Ledger) anchorEpoch(closed string, head store.Head) error {
	signer, err := l.o.LogKey.Signer(head.Origin)
	if err != nil {
		return err
	}
	verifier, err := note.NewVerifier(head.Key)
	if err != nil {
		return err
	}
	a, err := openAnchor(l.o.AnchorDir, head.Origin, verifier)
	if err != nil {
		return err
	}
	defer a.close()
	if err := a.create(signHead(head, signer)); err != nil {
		return err
	}
	return writeMark(l.o.AnchorDir, closed, head)
}
