package ledger

import (
	"context"
	"errors"
	"slices"

	"verdict/store"
)

// Seen is what somebody was shown of a log before: its key, and a checkpoint. It plays the
// part of the anchor for a log that somebody else keeps.
type Seen struct {
	Origin     string `json:"origin"`
	Key        string `json:"key"`        // verifier key
	Checkpoint string `json:"checkpoint"` // signed
}

// VerifyAfar verifies a log that somebody else keeps as Verify does one's own: each leaf
// from its body, the tree, receipts, and the rows of entries that he lists. It is held
// against what was seen of it before. The second answer is what to have seen from then on.
func VerifyAfar(ctx context.Context, a Afar, seen []Seen, o VerifyOptions) (VerifyReport, []Seen, error) {
	x := newVerification(there{a}, o)
	c, err := x.beginAfar(ctx, a, seen)
	if err != nil {
		return x.report, seen, err
	}
	r, err := x.run(ctx)
	if err != nil || len(r.Problems) > 0 {
		return r, seen, err
	}
	return r, remember(seen, x.open(), c), nil
}

// remember puts a checkpoint in the place of the one that was seen of the same log.
func remember(seen []Seen, h store.Head, c Checkpoint) []Seen {
	out := slices.DeleteFunc(slices.Clone(seen), func(s Seen) bool { return s.Origin == h.Origin })
	return append(out, Seen{h.Origin, h.Key, c.Note})
}

func (x *verification) open() store.Head { return x.epochs[len(x.epochs)-1] }

// beginAfar fixes what is verified.
func (x *verification) beginAfar(ctx context.Context, a Afar, seen []Seen) (Checkpoint, error) {
	shown, err := a.Shown(ctx)
	if err != nil {
		return Checkpoint{}, err
	}
	var c Checkpoint
	if x.epochs, c, err = shown.heads(); err != nil {
		return c, err
	}
	x.end = int64(c.Position)
	x.report.Position = c.Position
	x.before(shown, seen)
	if err := x.hold(); err != nil {
		return c, err
	}
	var signed []store.Cosignature
	for _, s := range shown.Cosignatures {
		signed = append(signed, store.Cosignature(s))
	}
	if err := x.witnesses(nil, signed); err != nil {
		return c, err
	}
	x.keys, err = keysOf(ctx, a)
	return c, err
}

// before holds what is shown now against what was seen before, as far as that can be told
// from the epochs. The trees are held against the bodies on the way.
func (x *verification) before(shown Shown, seen []Seen) {
	open := x.open()
	x.met = map[string][]met{}
	x.report.Anchor = "absent"
	for _, s := range seen {
		at := slices.IndexFunc(x.epochs, func(h store.Head) bool { return h.Origin == s.Origin })
		if at < 0 {
			x.refuses("the server showed the log %s before, and shows none of that name now", s.Origin)
			continue
		}
		h := x.epochs[at]
		if h.Origin == open.Origin && x.report.Anchor == "absent" {
			x.report.Anchor = "agrees"
		}
		if h.Key != s.Key && !slices.Contains(x.o.LogKeys, h.Key) {
			x.refuses("the key of %s is another one than before: it was %s, and the server gives %s", h.Origin, s.Key, h.Key)
		}
		tree, err := openCheckpoint(s.Checkpoint, store.Head{Origin: s.Origin, Key: s.Key})
		switch {
		case err != nil:
			x.refuses("what was kept here of %s cannot be read: %v", s.Origin, err)
		case tree.N > h.Size:
			x.refuses("the log %s was set back: it was seen here with %d entries, and the server shows %d", h.Origin, tree.N, h.Size)
		default:
			x.met[h.Origin] = append(x.met[h.Origin], met{tree, seenHere})
		}
	}
	if len(x.o.LogKeys) > 0 && !slices.Contains(x.o.LogKeys, open.Key) {
		x.refuses("the key of %s is not the one that was given: the server gives %s", open.Origin, open.Key)
	}
	for _, o := range shown.Others {
		tree, err := openCheckpoint(o, open)
		switch {
		case err != nil:
			x.problem(-1, remedyAfar, "the checkpoint that the server serves to everybody is none of %s with the key that it gives for it: %v", open.Origin, err)
		case tree.N > open.Size:
			x.problem(-1, remedyAfar, "the checkpoint that the server serves to everybody is one of %d entries of %s, and it shows %d", tree.N, open.Origin, open.Size)
		default:
			x.met[open.Origin] = append(x.met[open.Origin], met{tree, "the checkpoint that the server serves to everybody"})
		}
	}
}

// seenHere names the tree that was seen before.
const seenHere = "the checkpoint that was seen here before"

// refuses is a problem with what was seen before.
func (x *verification) refuses(format string, a ...any) {
	x.report.Anchor = "refuses"
	x.problem(-1, remedySeen, format, a...)
}

const remedySeen = "ask its operator what happened, on another way than this server; if a backup was restored or the key was lost, have him show the epoch that says so, name its key with --trust-log VKEY, and see verdict log verify --help for what is remembered here"

// errEnough ends a verification of which nothing more is kept.
var errEnough = errors.New("as many problems as are told")

// hidden counts what was given by its leaf alone.
func (x *verification) hidden(p *piece) {
	if x.report.Unseen == 0 && len(p.unseen) > 0 {
		x.firstUnseen = p.unseen[0]
	}
	x.report.Unseen += int64(len(p.unseen))
	if x.own == nil {
		x.report.Rows += p.listed
		x.keyEvents += p.keys
	}
}

// untold says what nobody showed here.
func (x *verification) untold() {
	r := &x.report
	if n := int64(len(x.keys.events)); n > x.keyEvents && x.keys.events[x.keyEvents].index < x.end && len(r.Problems)+len(r.Unchecked) == 0 {
		x.problem(-1, remedyAfar, "the server gives %d key events, and its entries state %d", n, x.keyEvents)
	}
	if r.Unseen > 0 {
		x.unchecked(x.firstUnseen, "have an admin give you a role that reads everything, and verify again: verdict roles grant SUBJECT auditor --service '*' --team '*' --environment '*' --reason TEXT",
			"%d entries, from this one on, lie outside of your scope: of them only the leaf was checked", r.Unseen)
	}
	if r.Pruned > 0 {
		x.unchecked(-1, "have its operator say why, and run verdict log verify where its data is",
			"the server gives no body of %d entries and says that they were pruned: of them only the leaf was checked", r.Pruned)
	}
	for _, w := range r.Witnesses {
		if w.Origin == "" {
			x.unchecked(-1, "ask him which checkpoints of this log he has signed, and hold it against one: verdict log verify --against FILE; if he signed none, leave --witness-key out",
				"the server gives no signature of %s: that he saw the same log, nothing here tells", w.Name)
		}
	}
	if r.Anchor == "absent" && (r.Against == nil || r.Against.Origin != x.open().Origin) {
		x.unchecked(-1, "what was shown now is remembered: from here on the log is held against it. For what was before, hold it against a checkpoint and a key that did not come by this server, from whoever kept them or from its operator (verdict log checkpoint > FILE and verdict log key, where its data is): verdict log verify --against FILE --trust-log VKEY",
			"the log %s was seen here for the first time: whether it was set back or replaced before, and whether its key is the true one, nothing here can tell", x.open().Origin)
	}
}

// place names where the log is read from.
func (x *verification) place(local string) string {
	if x.own == nil {
		return "the server"
	}
	return local
}

// remedy is what somebody does who has no hand on the data.
func (x *verification) remedy(local string) string {
	if x.own != nil {
		return local
	}
	switch local {
	case remedyTamper, remedyBehind, remedyBlobs, remedyWitness:
		return remedyAfar
	case remedyStranger:
		return "give his verifier key: verdict log verify --witness-key VKEY"
	}
	return local
}
