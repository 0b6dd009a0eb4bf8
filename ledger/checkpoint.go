package ledger

import (
	"context"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/evidence"
	"verdict/store"
)

// DefaultOriginSuffix is the end of the name of a log that nobody named. It is a
// reserved name: whoever publishes checkpoints sets it to a name of their own first, or
// gives each log its origin. An origin never changes afterwards.
const DefaultOriginSuffix = ".log.verdict.example"

// DefaultOrigin names a log after its key.
func DefaultOrigin(key ed25519.PublicKey) string {
	sum := sha256.Sum256(key)
	return hex.EncodeToString(sum[:5]) + DefaultOriginSuffix
}

// Checkpoint is a signed statement of the log: so many leaves, this root.
type Checkpoint struct {
	Origin   string    `json:"origin"`
	Size     int64     `json:"size"` // leaves of the open epoch
	Root     tlog.Hash `json:"root"`
	Position Position  `json:"position"` // entries of all epochs up to here
	Note     string    `json:"note"`     // the signed note (C2SP tlog-checkpoint)
}

// tree is the checkpoint in the words of tlog.
func (c Checkpoint) tree() tlog.Tree { return tlog.Tree{N: c.Size, Hash: c.Root} }

func firstHead(o Options) (store.Head, error) {
	origin := o.Origin
	if origin == "" {
		origin = DefaultOrigin(o.LogKey.Public())
	}
	return newHead(o, 1, origin, 0, "")
}

// newHead is the head of an epoch without entries.
func newHead(o Options, epoch int64, origin string, base int64, previous string) (store.Head, error) {
	if !plainHost(origin) {
		return store.Head{}, &verdict.Error{
			Code: verdict.CodeInvalid, What: fmt.Sprintf("%q cannot name a log", origin),
			Remedy: "name it by a host name of yours in lower case: letters, digits, dots and hyphens",
		}
	}
	key, err := evidence.VerifierKey(origin, o.LogKey.Public())
	if err != nil {
		return store.Head{}, err
	}
	root, err := tlog.TreeHash(0, nil)
	if err != nil {
		return store.Head{}, err
	}
	now := micros(o.Now())
	return store.Head{Epoch: epoch, Origin: origin, Key: key, Base: base, Root: root[:], Opened: now, Latest: now, Previous: previous}, nil
}

// plainHost reports whether an origin can stand in a trusted root, in a note and as the
// name of a file.
func plainHost(s string) bool {
	return s != "" && len(s) <= 253 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyz0123456789.-") == "" && s[0] != '.' && s[0] != '-'
}

// verifierOf reads the public half of the key of an epoch.
func verifierOf(h store.Head) (note.Verifier, error) {
	v, err := note.NewVerifier(h.Key)
	if err != nil || v.Name() != h.Origin {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: "the verifier key of " + h.Origin + " in the database is none of that name",
			Remedy: "somebody changed the database: restore it from a backup, then run verdict log verify", Err: errors.Join(ErrAnchor, err),
		}
	}
	return v, nil
}

// checkpointSigner gives the signing half, if k is the key of the epoch.
func checkpointSigner(k LogKey, h store.Head) (note.Signer, error) {
	vkey, err := evidence.VerifierKey(h.Origin, k.Public())
	if err != nil {
		return nil, err
	}
	if vkey != h.Key {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("the log key given is not the one that signs the checkpoints of %s", h.Origin),
			Remedy: "give this process the key that all others who append to this database have, with --log-key or as the key file of its data directory; only if nobody has it any more, begin a new origin with verdict log epoch --lost-key",
			Err:    errLogKey,
		}
	}
	return k.Signer(h.Origin)
}

var errLogKey = errors.New("another log key")

// sign makes the checkpoint of a head that is committed. Ed25519 gives the same bytes
// for the same head each time.
func (l *Ledger) sign(h store.Head) (Checkpoint, error) {
	return signHead(h, l.signer)
}

func signHead(h store.Head, by note.Signer) (Checkpoint, error) {
	c := Checkpoint{Origin: h.Origin, Size: h.Size, Root: tlog.Hash(h.Root), Position: Position(h.Base + h.Size)}
	signed, err := note.Sign(&note.Note{Text: checkpointText(c.Origin, c.tree())}, by)
	if err != nil {
		return Checkpoint{}, fmt.Errorf("sign checkpoint %d of %s: %w", h.Size, h.Origin, err)
	}
	c.Note = string(signed)
	return c, nil
}

func checkpointText(origin string, t tlog.Tree) string {
	return origin + "\n" + strconv.FormatInt(t.N, 10) + "\n" + t.Hash.String() + "\n"
}

// maxNote bounds a checkpoint with the signatures under it.
const maxNote = 64 << 10

// parseCheckpoint checks the signature of a checkpoint and reads it.
func parseCheckpoint(signed string, origin string, v note.Verifier) (tlog.Tree, error) {
	if len(signed) > maxNote {
		return tlog.Tree{}, fmt.Errorf("a checkpoint of %d bytes", len(signed))
	}
	n, err := note.Open([]byte(signed), note.VerifierList(v))
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint: %w", err)
	}
	lines := strings.Split(n.Text, "\n")
	if len(lines) < 4 || lines[0] != origin {
		return tlog.Tree{}, fmt.Errorf("the checkpoint is not one of %s", origin)
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil || size < 0 || strconv.FormatInt(size, 10) != lines[1] {
		return tlog.Tree{}, fmt.Errorf("checkpoint size %q", lines[1])
	}
	root, err := tlog.ParseHash(lines[2])
	if err != nil {
		return tlog.Tree{}, fmt.Errorf("checkpoint root: %w", err)
	}
	return tlog.Tree{N: size, Hash: root}, nil
}

// Checkpoint gives the latest checkpoint. It is signed only when the database agrees
// with what this process and its anchor have seen before.
func (l *Ledger) Checkpoint(ctx context.Context) (Checkpoint, error) {
	if l.refusal != nil {
		return Checkpoint{}, l.refusal
	}
	var c Checkpoint
	err := l.view(ctx, func(v *store.View, head store.Head) (err error) {
		c, err = l.sign(head)
		return err
	})
	return c, err
}

// view answers a question from a state of the database that continues what this process
// has seen: a database that is set back while it is used answers nothing.
func (l *Ledger) view(ctx context.Context, ask func(v *store.View, head store.Head) error) error {
	seen := l.seen() // before the snapshot: what is appended behind it is not held against it
	return l.store.View(ctx, func(v *store.View) error {
		head, _, err := v.Head(ctx)
		if err == nil {
			err = l.trust(ctx, v, head, seen)
		}
		if err != nil {
			return err
		}
		return ask(v, head)
	})
}

// seen is what a database must continue.
type seen struct {
	head   store.Head
	anchor tlog.Tree
	known  bool // there is an anchor
}

func (l *Ledger) seen() seen {
	l.mu.Lock()
	defer l.mu.Unlock()
	s := seen{head: l.trusted}
	s.anchor, _, s.known = l.anchor.latest()
	return s
}

// trust accepts a head that continues what was seen. Whatever another process appended
// is compared with the anchor here, and so is a database that was set back while this
// process ran.
func (l *Ledger) trust(ctx context.Context, v *store.View, head store.Head, s seen) error {
	if l.refusal != nil { // an inspection looks at what there is
		return nil
	}
	if err := moved(head); err != nil {
		return err
	}
	if sameHead(s.head, head) && (!s.known || s.anchor.N <= head.Size) {
		return nil
	}
	if s.head.Epoch != head.Epoch {
		return epochEnded(s.head, head)
	}
	if err := l.agree(ctx, v, head, s); err != nil {
		return err
	}
	if err := continues(ctx, v, head, treeOf(s.head), "this process"); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.trusted.Epoch == head.Epoch {
		l.grown(head)
	}
	return nil
}

func sameHead(a, b store.Head) bool {
	return a.Epoch == b.Epoch && a.Size == b.Size && string(a.Root) == string(b.Root)
}

// VerifierKey is the line by which others check the checkpoints of the open epoch: its name,
// a hash and its public key (C2SP signed-note).
func (l *Ledger) VerifierKey(ctx context.Context) (string, error) {
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return "", err
	}
	return evidence.VerifierKey(c.Origin, l.o.LogKey.Public())
}

// AnchorDir is where checkpoints are kept outside of the database.
func (l *Ledger) AnchorDir() string { return l.o.AnchorDir }
