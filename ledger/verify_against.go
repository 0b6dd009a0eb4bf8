package ledger

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict"
	"verdict/store"
)

// AgainstReport says how the log relates to a checkpoint that somebody kept elsewhere.
type AgainstReport struct {
	Origin    string    `json:"origin"`
	Size      int64     `json:"size"`
	Root      tlog.Hash `json:"root"`
	Position  Position  `json:"position"`  // entries of all epochs up to here
	Continues bool      `json:"continues"` // the log still holds, in its place, everything that it held then
	// Since is from where on the anchor of that origin covers the log, when it was begun
	// late; 0 when it was not.
	Since   Position `json:"since"`
	Cleared bool     `json:"cleared"` // the checkpoint covers what the anchor does not: the mark was removed
}

// hold takes up the checkpoint that the log is to be held against. It is refused unless
// it is signed with the key of one of the logs that the database holds.
func (x *verification) hold() error {
	if x.o.Against == nil {
		return nil
	}
	signed := string(x.o.Against)
	refuse := func(c verdict.Code, err error, format string, a ...any) error {
		return &verdict.Error{
			Code: c, What: fmt.Sprintf(format, a...), Err: err,
			Remedy: "give the whole text that verdict log checkpoint printed for this log, as it was kept; nothing was verified and nothing changed",
		}
	}
	var stranger *note.UnverifiedNoteError
	if _, err := note.Open(x.o.Against, note.VerifierList()); len(signed) > maxNote || !errors.As(err, &stranger) {
		return refuse(verdict.CodeInvalid, err, "what is to be held against the log is no signed checkpoint")
	}
	origin, _, _ := strings.Cut(signed, "\n")
	at := slices.IndexFunc(x.epochs, func(h store.Head) bool { return h.Origin == origin })
	if at < 0 {
		var here []string
		for _, h := range x.epochs {
			here = append(here, h.Origin)
		}
		return refuse(verdict.CodeRefused, nil, "the checkpoint is one of %.100q, and %s holds %s", origin, x.place("this database"), strings.Join(here, ", "))
	}
	h := x.epochs[at]
	v, err := verifierOf(h)
	if err != nil {
		return err
	}
	tree, err := parseCheckpoint(signed, origin, v)
	if err != nil {
		return refuse(verdict.CodeRefused, err, "the checkpoint is not signed with the key of %s", origin)
	}
	x.report.Against = &AgainstReport{Origin: origin, Size: tree.N, Root: tree.Hash, Position: Position(h.Base + tree.N)}
	return nil
}

// held compares with the checkpoint that was given when the tree is as large as that. The
// root is computed from the bodies, and so are all later ones, up to that of the head:
// this is what a proof of consistency would show, and rests on no tile.
func (t *treeCheck) held() {
	a := t.x.report.Against
	if a == nil || a.Origin != t.head.Origin || a.Size != t.edge.size {
		return
	}
	root, err := t.edge.root()
	if a.Continues = err == nil && root == a.Root; !a.Continues {
		t.x.problem(-1, remedyTamper, "the first %d entries of %s are not those of the checkpoint that was given: their root is %s, and it names %s", a.Size, a.Origin, root, a.Root)
	}
}

// behind tells of a checkpoint of more than the database holds.
func (t *treeCheck) behind() {
	if a := t.x.report.Against; a != nil && a.Origin == t.head.Origin && a.Size > t.edge.size {
		t.x.problem(-1, remedyBehind, "the checkpoint that was given is one of %d entries of %s, and %s holds %d: it was set back", a.Size, a.Origin, t.x.place("the database"), t.edge.size)
	}
}

// uncovered tells which entries no anchor here was held against. A checkpoint that covers
// them, in a log in which everything holds, does what the anchor could not.
func (x *verification) uncovered() error {
	dir := x.own.o.AnchorDir
	for _, h := range x.epochs {
		path := sincePath(dir, h.Origin)
		m, err := readSince(dir, h.Origin)
		if err != nil {
			x.unchecked(-1, fmt.Sprintf("put it back from a backup; or hold the log against a checkpoint that was kept elsewhere, verdict log verify --against FILE, and remove %s when it covers enough", path),
				"what the anchor of %s covers cannot be told: %v", h.Origin, err)
			continue
		}
		if m == nil {
			continue
		}
		a := x.report.Against
		if a == nil || a.Origin != h.Origin {
			x.unchecked(-1, "hold the log against the latest checkpoint that was kept elsewhere: verdict log verify --against FILE",
				"the %d entries before entry %d of %s were never compared with an anchor here: there was none when the log was opened, and a database that was set back before that looks the same", m.Since, m.Since, h.Origin)
			continue
		}
		a.Since = m.Since
		switch {
		case a.Position < m.Since:
			x.unchecked(-1, "give a later checkpoint: verdict log verify --against FILE",
				"the checkpoint that was given ends before entry %d, and the anchor of %s was begun at entry %d: nothing here was held against what lies between them", a.Position, h.Origin, m.Since)
		case a.Continues && len(x.report.Problems) == 0:
			if err := errors.Join(os.Remove(path), syncFolder(dir)); err != nil {
				return x.own.anchor.unusable(err)
			}
			a.Cleared = true
		}
	}
	return nil
}
