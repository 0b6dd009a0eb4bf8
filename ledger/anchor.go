package ledger

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/store"
)

// ErrAnchor is in the chain of every error that says that the database does not agree
// with a checkpoint that was seen before.
var ErrAnchor = errors.New("the database does not continue the log that was seen before")

// An anchor is one file that holds the two latest checkpoints in slots of fixed size.
// They are overwritten in turn and synced without a change of the file's length, so that
// a crash in the middle of a write leaves the other one whole.
type anchor struct {
	path   string
	origin string
	verify note.Verifier

	mu   sync.Mutex
	file *os.File
	tree tlog.Tree // guarded by mu: the larger of the two, as last read or written
	note string
	// bytes are both slots, as last read or written.
	bytes [2 * anchorSlot]byte
}

const anchorSlot = 1024

// openAnchor opens the anchor of an origin, if there is one. With an error of ErrAnchor
// comes an anchor that knows nothing.
func openAnchor(dir, origin string, v note.Verifier) (*anchor, error) {
	a := &anchor{path: filepath.Join(dir, origin), origin: origin, verify: v}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return a, a.unusable(err)
	}
	f, err := os.OpenFile(a.path, os.O_RDWR, 0)
	if errors.Is(err, os.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, a.unusable(err)
	}
	a.file = f
	if _, _, err := a.read(); err != nil {
		a.file = nil
		return a, errors.Join(err, f.Close())
	}
	return a, nil
}

func (a *anchor) unusable(err error) error {
	return &verdict.Error{
		Code: verdict.CodeUnavailable, What: "the anchor " + a.path + " cannot be read or written, so nothing can be acknowledged",
		Remedy: "make its folder writable and free space there, or choose another one with XDG_STATE_HOME, and run the command again", Err: err,
	}
}

// create writes the first checkpoint, at once or not at all, when there is no anchor.
func (a *anchor) create(c Checkpoint, err error) error {
	if err != nil || a.file != nil {
		return err
	}
	slot, err := a.slot(c)
	if err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(a.path), "."+a.origin+"-*")
	if err != nil {
		return a.unusable(err)
	}
	defer os.Remove(temporary.Name())
	_, err = temporary.Write(append(slot, slot...))
	if err == nil {
		err = temporary.Sync()
	}
	if err = errors.Join(err, temporary.Close()); err == nil {
		// A link and not a rename: of two processes that begin at once, one wins.
		if err = os.Link(temporary.Name(), a.path); errors.Is(err, os.ErrExist) {
			err = nil
		}
	}
	if err == nil {
		err = syncFolder(filepath.Dir(a.path))
	}
	if err == nil {
		a.file, err = os.OpenFile(a.path, os.O_RDWR, 0)
	}
	if err != nil {
		return a.unusable(err)
	}
	_, _, err = a.read()
	return err
}

// slot is a checkpoint with line feeds behind it.
func (a *anchor) slot(c Checkpoint) ([]byte, error) {
	if len(c.Note) > anchorSlot {
		return nil, fmt.Errorf("checkpoint of %d bytes does not fit an anchor", len(c.Note))
	}
	slot := make([]byte, anchorSlot, 2*anchorSlot)
	for i := copy(slot, c.Note); i < len(slot); i++ {
		slot[i] = '\n'
	}
	return slot, nil
}

// slots is the file as it is.
func (a *anchor) slots() (b [2 * anchorSlot]byte, err error) {
	_, err = io.ReadFull(io.NewSectionReader(a.file, 0, int64(len(b))), b[:])
	return b, err
}

// read reads both slots and says which one holds the larger checkpoint. The other one
// may be torn. The caller holds mu or is alone.
func (a *anchor) read() (tlog.Tree, int, error) {
	b, err := a.slots()
	if err != nil {
		return tlog.Tree{}, 0, a.broken(err)
	}
	best, at := tlog.Tree{N: -1}, -1
	var problem error
	for i := range 2 {
		text := strings.TrimRight(string(b[i*anchorSlot:(i+1)*anchorSlot]), "\n") + "\n"
		t, err := parseCheckpoint(text, a.origin, a.verify)
		if err != nil {
			problem = err
		} else if t.N > best.N {
			best, at = t, i
			a.note = text
		}
	}
	if at < 0 {
		return tlog.Tree{}, 0, a.broken(problem)
	}
	a.tree, a.bytes = best, b
	return best, at, nil
}

func (a *anchor) broken(err error) error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: "the anchor " + a.path + " holds no checkpoint of " + a.origin + ": it was changed by somebody else",
		Remedy: "find out who changed it; put the file back from a backup, or begin a new origin with verdict log epoch --from-backup",
		Err:    errors.Join(ErrAnchor, err),
	}
}

// latest is the checkpoint that the database must continue. It is false when there is
// none: then nothing can be said.
func (a *anchor) latest() (tlog.Tree, string, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tree, a.note, a.file != nil
}

// refresh takes up what other processes wrote, and that one of them closed the log: of a copy
// of this database, it may be, so that nothing in this one tells. Bytes that were read before
// are not judged again: it is asked before every append.
func (a *anchor) refresh() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if m, err := readMark(filepath.Dir(a.path), a.origin); err != nil || m != nil {
		if m != nil {
			err = epochEnded(store.Head{Origin: a.origin}, store.Head{Origin: m.Next})
		}
		return err
	}
	if a.file == nil {
		return nil
	}
	before := a.bytes
	if now, err := a.slots(); err == nil && now == before {
		return nil
	}
	_, _, err := a.read()
	return err
}

// save keeps a checkpoint unless another process was here with a larger one. When it
// returns without error the checkpoint, or that larger one, survives a crash.
func (a *anchor) save(c Checkpoint) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.tree.N >= c.Size && a.tree.N > 0 {
		return nil
	}
	slot, err := a.slot(c)
	if err != nil {
		return err
	}
	unlock, err := lockFile(a.file)
	if err != nil {
		return a.unusable(err)
	}
	defer unlock()
	latest, at, err := a.read()
	if err != nil || latest.N >= c.Size {
		return err
	}
	if _, err := a.file.WriteAt(slot, int64((1-at)*anchorSlot)); err != nil {
		return a.unusable(err)
	}
	if err := syncData(a.file); err != nil {
		return a.unusable(err)
	}
	a.tree, a.note = c.tree(), c.Note
	copy(a.bytes[(1-at)*anchorSlot:], slot)
	return nil
}

func (a *anchor) close() error {
	if a.file == nil {
		return nil
	}
	return a.file.Close()
}

// agree holds a head against the anchor: as large, and with the anchor's tree inside.
func (l *Ledger) agree(ctx context.Context, v *store.View, head store.Head, s seen) error {
	if err := closedBefore(l.o.AnchorDir, head); err != nil || !s.known {
		return err
	}
	return continues(ctx, v, head, s.anchor, "the anchor "+l.anchor.path)
}

// continues reports why a head does not continue a tree that somebody has seen.
func continues(ctx context.Context, v *store.View, head store.Head, seen tlog.Tree, who string) error {
	refuse := func(what string, cause error) error {
		return &verdict.Error{
			Code: verdict.CodeConflict, What: what,
			Remedy: "if a backup was restored, begin a new origin with verdict log epoch --from-backup; if not, somebody changed the database: keep it as it is and look with verdict log verify",
			Err:    errors.Join(ErrAnchor, cause),
		}
	}
	if head.Size < seen.N {
		return refuse(fmt.Sprintf("the database was set back: it holds %d entries of %s, and %s has seen %d", head.Size, head.Origin, who, seen.N), nil)
	}
	if seen.N == 0 {
		return nil
	}
	root, err := rootAt(ctx, v, head, seen.N)
	if errors.Is(err, errTiles) {
		return refuse(fmt.Sprintf("the tree of %s in the database contradicts itself", head.Origin), err)
	}
	if err != nil {
		return err
	}
	if root != seen.Hash {
		return refuse(fmt.Sprintf("the database holds another log under the name %s: its first %d entries are not those that %s has seen", head.Origin, seen.N, who), nil)
	}
	return nil
}
