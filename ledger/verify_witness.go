package ledger

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"filippo.io/torchwood"
	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"verdict/store"
)

const (
	remedyWitness  = "ask the witness which checkpoints of this log he has signed, and hold the log against them; until it is known who changed this, keep a copy of the database as it is"
	remedyStranger = "give his verifier key: verdict log verify --witness-key KEY; or ask him again with verdict log witness, which keeps it"
)

// witnesses takes up the signatures of witnesses that are held beside the log, and the keys
// to check them with: those that are known and those of the caller.
func (x *verification) witnesses(known []*torchwood.CosignatureVerifier, signed []store.Cosignature) error {
	for _, vkey := range x.o.WitnessKeys {
		k, err := witnessKey(vkey)
		if err != nil {
			return err
		}
		known = append(known, k)
	}
	same := func(a, b *torchwood.CosignatureVerifier) int { return cmp.Compare(a.String(), b.String()) }
	slices.SortFunc(known, same)
	for _, k := range slices.CompactFunc(known, func(a, b *torchwood.CosignatureVerifier) bool { return same(a, b) == 0 }) {
		x.signer = append(x.signer, k)
		x.report.Witnesses = append(x.report.Witnesses, WitnessReport{Name: k.Name(), Key: k.String()})
	}
	x.witness = note.VerifierList(x.signer...)
	x.cosigned = map[string][]store.Cosignature{}
	for _, c := range signed {
		x.cosigned[c.Origin] = append(x.cosigned[c.Origin], c)
	}
	for _, h := range x.epochs {
		slices.SortStableFunc(x.cosigned[h.Origin], func(a, b store.Cosignature) int { return cmp.Compare(a.Size, b.Size) })
	}
	for origin, list := range x.cosigned {
		if !slices.ContainsFunc(x.epochs, func(h store.Head) bool { return h.Origin == origin }) {
			x.problem(-1, remedyWitness, "%s signed a checkpoint of %s, which is no log of %s", list[0].Name, origin, x.place("this database"))
		}
	}
	return nil
}

// witnessed checks the signatures under the checkpoint of the tree as it is now.
func (t *treeCheck) witnessed() error {
	for len(t.cosigned) > 0 && t.cosigned[0].Size <= t.edge.size {
		c := t.cosigned[0]
		t.cosigned = t.cosigned[1:]
		root, err := t.edge.root()
		if err != nil {
			return err
		}
		t.x.cosignature(c, tlog.Tree{N: t.edge.size, Hash: root})
	}
	return nil
}

// beyond tells of signatures under checkpoints that the tree never came to.
func (t *treeCheck) beyond() {
	for _, c := range t.cosigned {
		t.x.problem(-1, remedyBehind, "%s signed a checkpoint of %d entries of %s, and %s holds %d: it was set back, or the signature was put there", c.Name, c.Size, c.Origin, t.x.place("the database"), t.edge.size)
	}
}

// cosignature checks one signature. The root is the one that was computed here: a
// signature for another tree does not hold.
func (x *verification) cosignature(c store.Cosignature, tree tlog.Tree) {
	where := fmt.Sprintf("the signature of %s under the checkpoint of %d entries of %s", c.Name, c.Size, c.Origin)
	n, err := note.Open([]byte(checkpointText(c.Origin, tree)+"\n"+c.Line), x.witness)
	var stranger *note.UnverifiedNoteError
	var wrong *note.InvalidSignatureError
	switch {
	case c.Size != tree.N:
		x.problem(-1, remedyWitness, "%s is for a size that no tree has", where)
	case err == nil:
		if err := sameSignature(c, n.Sigs, n.UnverifiedSigs); err != nil {
			x.problem(-1, remedyWitness, "%s is not the one that was kept: %v", where, err)
			return
		}
		x.report.Cosignatures++
		x.signed(n.Sigs[0], c)
	case errors.As(err, &stranger):
		if err := sameSignature(c, stranger.Note.UnverifiedSigs, nil); err != nil {
			x.problem(-1, remedyWitness, "%s is not the one that was kept: %v", where, err)
			return
		}
		x.unchecked(-1, remedyStranger, "%s could not be checked: the key %08x of that witness is not known here", where, stranger.Note.UnverifiedSigs[0].Hash)
	case errors.As(err, &wrong):
		x.problem(-1, remedyWitness, "%s does not hold: it was changed, or it was given for other entries", where)
	default:
		x.problem(-1, remedyWitness, "%s cannot be read: %v", where, err)
	}
}

// signed notes by whom a signature that holds is. They come epoch by epoch, the smallest
// tree first.
func (x *verification) signed(s note.Signature, c store.Cosignature) {
	for i, k := range x.signer {
		if k.Name() == s.Name && k.KeyHash() == s.Hash {
			x.report.Witnesses[i].Origin, x.report.Witnesses[i].Size = c.Origin, c.Size
		}
	}
}

// sameSignature holds the columns of a row against the line in it, which must be one
// signature and nothing more.
func sameSignature(c store.Cosignature, sigs, more []note.Signature) error {
	if len(sigs) != 1 || len(more) > 0 || signatureLine(sigs[0]) != c.Line {
		return errors.New("it is not one line")
	}
	if sigs[0].Name != c.Name {
		return fmt.Errorf("it is that of %s", sigs[0].Name)
	}
	if at, err := torchwood.CosignatureTimestamp(sigs[0]); err != nil || at != c.At {
		return errors.New("it was given at another time")
	}
	return nil
}
