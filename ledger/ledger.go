// Package ledger is the append-only log of evidence: a Merkle tree whose leaves are
// written in one SQL transaction with the evidence itself and the rows that answer
// questions about it. Whoever holds a checkpoint of it can prove later what was in it.
//
// What was acknowledged is in the database, under a checkpoint that is also kept outside
// of it (the anchor), so that neither a crash nor a database that was set back can take
// it away unseen. Any number of processes may append to one database.
//
// Positions count entries over all epochs of a log; an index is the position of an
// entry. A question asked at a position is answered from the entries before it.
package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/mod/sumdb/note"

	"verdict/blob"
	"verdict/evidence"
	"verdict/store"
)

// LogKey signs the checkpoints of a log. evidence.LogKey is one.
type LogKey interface {
	// Public is the public half.
	Public() ed25519.PublicKey
	// Signer signs notes under the origin.
	Signer(origin string) (note.Signer, error)
}

// Options are what a Ledger is made of. Store, Blobs, LogKey and AnchorDir are required.
type Options struct {
	Store *store.Store // closed by Ledger.Close
	Blobs blob.Store
	// LogKey signs the checkpoints of the open epoch.
	LogKey LogKey
	// Signer signs the log's own statements: receipts, epochs. Without one, or while its
	// key is not enrolled, there are none.
	Signer evidence.Signer
	// Origin names a log that does not exist yet; empty: DefaultOrigin. A log that
	// exists keeps its name.
	Origin string
	// AnchorDir is where checkpoints are kept outside the data directory.
	AnchorDir string
	// Inspect opens a database that its anchor refuses. It can be read, verified,
	// exported and given a new epoch, but takes no entry.
	Inspect bool
	Now     func() time.Time // nil: time.Now
	Rand    io.Reader        // for nonces; nil: crypto/rand.Reader
	Logger  *slog.Logger     // nil: silent
}

// Ledger is an open log. All methods may be called at the same time.
type Ledger struct {
	o      Options
	store  *store.Store
	blobs  blob.Store
	signer note.Signer // of checkpoints, under the origin of the open epoch
	verify note.Verifier
	anchor *anchor
	body   *bodies
	// refusal is why the anchor refuses the database, nil when it does not.
	refusal error
	// since is 0 when there was an anchor or no entry. Otherwise the checkpoint of the
	// database at this position became the first one.
	since Position

	mu      sync.Mutex
	trusted store.Head // guarded by mu: the last head that agreed with the anchor
	keys    *keyring   // guarded by mu; the keyring itself never changes
	queue   []*request // guarded by mu: what waits for the next commit
	closed  bool       // guarded by mu
	follow  following  // guarded by mu

	runs       atomic.Pointer[runningState] // what ran when it was last asked
	words      words                        // of the component index
	folding    atomic.Bool                  // a fold is under way
	background sync.WaitGroup               // of folds and of looks at the log; Close waits for it

	late bool          // the appender's alone: the clock is behind the log
	wake chan struct{} // says that queue is not empty, or closed
	done chan struct{} // closed by the appender when it has ended
}

// Open opens the log in o.Store and begins it when there is none.
func Open(ctx context.Context, o Options) (*Ledger, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Rand == nil {
		o.Rand = rand.Reader
	} else {
		o.Rand = &oneAtATime{from: o.Rand}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Store == nil || o.Blobs == nil || o.LogKey == nil || o.AnchorDir == "" {
		return nil, errors.New("open ledger: Store, Blobs, LogKey and AnchorDir are required")
	}
	l := &Ledger{o: o, store: o.Store, blobs: o.Blobs, body: newBodies(), wake: make(chan struct{}, 1), done: make(chan struct{})}
	l.follow.news = make(chan struct{})
	head, err := l.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("open ledger: %w", err)
	}
	if err := l.load(ctx, head); err != nil {
		return nil, fmt.Errorf("open ledger %s: %w", head.Origin, err)
	}
	if l.refusal == nil {
		if err := l.listOld(ctx); err != nil {
			return nil, fmt.Errorf("open ledger %s: %w", head.Origin, err)
		}
	}
	go l.run()
	return l, nil
}

// begin finds the open epoch or opens the first one.
func (l *Ledger) begin(ctx context.Context) (store.Head, error) {
	for {
		head, found, err := l.head(ctx)
		if found || err != nil {
			return head, err
		}
		first, err := firstHead(l.o)
		if err != nil {
			return store.Head{}, err
		}
		// Another process may be as far as we are: the loser finds the winner's head.
		if err := l.store.OpenEpoch(ctx, first); err != nil && !errors.Is(err, store.ErrFence) {
			return store.Head{}, err
		}
	}
}

func (l *Ledger) head(ctx context.Context) (head store.Head, found bool, err error) {
	err = l.store.View(ctx, func(v *store.View) (err error) {
		head, found, err = v.Head(ctx)
		return err
	})
	return head, found, err
}

// load takes up the open epoch: its key, its anchor, the enrolled keys.
func (l *Ledger) load(ctx context.Context, head store.Head) error {
	err := l.refuse(moved(head))
	if err != nil {
		return err
	}
	if l.verify, err = verifierOf(head); err != nil {
		return err
	}
	if l.signer, err = checkpointSigner(l.o.LogKey, head); err != nil {
		// A database from before the open epoch goes with an older key: it is the database
		// that is wrong then.
		if ended := closedBefore(l.o.AnchorDir, head); ended != nil {
			err = ended
		}
		if err = l.refuse(err); err != nil {
			return err
		}
	}
	if l.anchor, err = openAnchor(l.o.AnchorDir, head.Origin, l.verify); err != nil {
		if err = l.refuse(err); err != nil {
			return err
		}
	}
	if err := l.closePrevious(ctx, head); err != nil {
		return err
	}
	if err := l.look(ctx); err != nil || l.refusal != nil {
		return err
	}
	if _, _, known := l.anchor.latest(); !known && l.trusted.Size > 0 {
		// Another process may have begun log and anchor since we looked for one.
		if l.anchor, err = openAnchor(l.o.AnchorDir, head.Origin, l.verify); err != nil {
			if err = l.refuse(err); err != nil {
				return err
			}
		}
		if err := l.look(ctx); err != nil || l.refusal != nil {
			return err
		}
	}
	return l.adopt()
}

// look reads the head, holds it against the anchor and folds the keys.
func (l *Ledger) look(ctx context.Context) error {
	before := l.seen()
	return l.store.View(ctx, func(v *store.View) error {
		current, _, err := v.Head(ctx)
		if err != nil {
			return err
		}
		if err = l.agree(ctx, v, current, before); err != nil {
			if err = l.refuse(err); err != nil {
				return err
			}
		}
		l.trusted = current
		l.keys, err = l.keysSince(ctx, v, newKeyring())
		if err != nil && l.refusal != nil { // an inspection looks at what there is
			l.keys, err = newKeyring(), nil
		}
		return err
	})
}

// refuse keeps for an inspection why the log takes no entry, and gives any other error
// back.
func (l *Ledger) refuse(err error) error {
	if err == nil || !l.o.Inspect || !errors.Is(err, ErrAnchor) && !errors.Is(err, errLogKey) && !errors.Is(err, errMoved) {
		return err
	}
	// What the anchor says is worse than a key that is not there.
	if l.refusal == nil || errors.Is(l.refusal, errLogKey) && errors.Is(err, ErrAnchor) {
		l.refusal = err
	}
	return nil
}

// Close waits for what is under way and closes the store. Closing again is no error.
func (l *Ledger) Close() error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.tell()
	if l.follow.stop != nil {
		l.follow.stop()
	}
	l.mu.Unlock()
	l.poke()
	<-l.done
	l.background.Wait()
	if closed {
		return nil
	}
	return errors.Join(l.anchor.close(), l.store.Close())
}

func (l *Ledger) poke() {
	select {
	case l.wake <- struct{}{}:
	default: // it is awake already
	}
}

// oneAtATime lets several goroutines read from one source of randomness.
type oneAtATime struct {
	mu   sync.Mutex // guards from
	from io.Reader
}

func (r *oneAtATime) Read(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.from.Read(b)
}
