package main

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

func keysRotateCommand() command {
	return command{
		use: "rotate NAME", short: "Replace a key file with a new key of the same person",
		long: "Makes a new key and records, signed by the old one, that it takes the old one's place. What the old key signed stays valid, and its file is kept beside the new one. " +
			"A rotation that was interrupted is taken up again. With --public-key the new key is one that lives elsewhere, such as in a key service, and nothing is made here.",
		example: "verdict keys rotate local\nverdict keys rotate alma --reason 'new laptop'\nverdict keys rotate local --public-key kms.pem",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var reason, public string
			f.text(&reason, "reason", "TEXT", "why, for the record; no names or addresses")
			f.text(&public, "public-key", "FILE", "public half of the new key, whose private half is elsewhere: verdict keys public --signer KEY prints it")
			return changing(func(ctx context.Context, w *workspace, args []string) error {
				return w.rotateKey(ctx, args[0], public, reason)
			})
		},
	}
}

// changing opens an existing workspace for a command that states key events, and checks
// nothing about its signing key: the command knows which key has to sign.
func changing(r func(ctx context.Context, w *workspace, args []string) error) runner {
	return func(ctx context.Context, a *app, args []string) (err error) {
		if err := a.mustExist(); err != nil {
			return err
		}
		w, err := a.openAs(ctx, false)
		if err != nil {
			return err
		}
		defer w.end(&err)
		return r(ctx, w, args)
	}
}

// keyChanged is the document verdict.key-event/v1: what was recorded.
type keyChanged struct {
	Schema string            `json:"schema"`
	Event  identity.KeyEvent `json:"event"`
	Index  int64             `json:"index"`
	File   string            `json:"file"` // of the new key, or of the one that ended; empty: not here
	// Waits are the persons of whom one has to enroll the key too, before it counts.
	Waits []string `json:"waits_for,omitempty"`
	// Made are the keys that a key enrolled in the time that its revocation doubts.
	Made []string `json:"enrolled_since,omitempty"`
	// alone: it is the key of the only person who is enrolled.
	alone bool
}

const keyEventSchema = "verdict.key-event/v1"

func (w *workspace) rotateKey(ctx context.Context, name, public, reason string) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	all, err := w.keysAt(ctx, ledger.Now)
	if err != nil {
		return err
	}
	current, err := all.findKey(name)
	if err != nil {
		return err
	}
	if public != "" {
		return w.rotateElsewhere(ctx, current, public, reason)
	}
	if current.File == "" {
		return &verdict.Error{Code: verdict.CodeNotFound, What: "the private half of key " + current.ID + " is not on this machine", Remedy: "run this where it is, or revoke it (verdict keys revoke) and enroll a new key"}
	}
	return w.rotateFile(ctx, all, current, reason)
}

// rotateElsewhere lets a key give way to one whose private half is not here. The old one
// signs that: its file, or what --signer names.
func (w *workspace) rotateElsewhere(ctx context.Context, current HeldKey, file, reason string) error {
	pem, err := w.app.readPublicKey(file)
	if err != nil {
		return err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	was, _ := h.Key(current.ID)
	event, err := identity.NewRotation(was, pem, reason)
	if err != nil {
		return err
	}
	if err := w.unknownKey(ctx, event.Key, was.Person); err != nil {
		return err
	}
	switch {
	case !current.Counts:
		return current.useless()
	case current.File != "":
		if w.signer, err = w.ring.Open(current.File); err != nil {
			return err
		}
	case current.ID != w.signer.KeyID():
		return &verdict.Error{
			Code: verdict.CodeNotFound, What: "the private half of key " + current.ID + " is not on this machine, and is not what --signer names",
			Remedy: "let the old key sign: --signer KEY with the reference that it had until now",
		}
	}
	return w.recordKey(ctx, event, "", false)
}

// useless is the error for a key that does not count, and should give way to another.
func (k HeldKey) useless() error {
	return &verdict.Error{
		Code: verdict.CodeConflict, What: fmt.Sprintf("the key %s does not count: %s", cmp.Or(k.Name, k.ID), k.state()),
		Remedy: "enroll a new one, signed by a key that counts: verdict people enroll PERSON --as KEY",
	}
}

// rotateFile makes the new key, if an interrupted rotation did not make it, and records
// the rotation signed by the old one.
func (w *workspace) rotateFile(ctx context.Context, all heldKeys, current HeldKey, reason string) error {
	var old, fresh *evidence.KeyFile
	var err error
	before := slices.IndexFunc(all.Keys, func(k HeldKey) bool {
		return !k.Current && k.Counts && strings.HasPrefix(k.Name, current.Name+".")
	})
	switch {
	case current.Counts:
		old, fresh, err = w.ring.Rotate(current.Name)
	case current.Enrolled == nil && current.ID != "" && before >= 0:
		if old, err = w.ring.Open(all.Keys[before].File); err == nil {
			fresh, err = w.ring.Open(current.File)
		}
	case current.ID == "":
		_, err = w.ring.Open(current.File)
	default:
		err = current.useless()
	}
	if err != nil {
		return err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	was, _ := h.Key(old.KeyID())
	event, err := identity.NewRotation(was, fresh.PublicPEM(), reason)
	if err != nil {
		return err
	}
	w.signer = old // its last statement
	return w.recordKey(ctx, event, fresh.Path(), false)
}

// recordKey states a key event and tells what came of it; alone says that it enrolls the
// only person there is.
func (w *workspace) recordKey(ctx context.Context, event identity.KeyEvent, file string, alone bool) error {
	doc, err := w.stateKey(ctx, event, file)
	if err != nil {
		return err
	}
	doc.alone = alone
	return w.emitKey(doc)
}

func (w *workspace) stateKey(ctx context.Context, event identity.KeyEvent, file string) (keyChanged, error) {
	e, err := w.state(ctx, verdict.KindKey, keySubject(event.Key, event.Person), event, verdict.Context{Retention: "log"})
	return keyChanged{Schema: keyEventSchema, Event: event, Index: e.Index, File: file}, err
}

func (w *workspace) emitKey(doc keyChanged) error {
	return w.app.emit(doc, func(s report.Style) string { return doc.text(s) })
}

func (c keyChanged) text(s report.Style) string {
	person := report.Neutral(c.Event.Person)
	var head string
	rows := [][]string{{"key", c.Event.Key}, {"recorded", fmt.Sprintf("entry %d", c.Index)}}
	next := "sign with it: --as " + strings.TrimSuffix(filepath.Base(c.File), ".pem")
	switch c.Event.Action {
	case identity.Enrol:
		head = "Enrolled a key for " + person + "."
	case identity.Rotate:
		head = "Replaced a key of " + person + "."
		rows = append(rows, []string{"replaces", c.Event.Replaces + ", whose earlier statements stay valid"})
	default:
		head = "Revoked a key of " + person + "."
		next = "What it signed before stays valid; nothing that it signs from now on is recorded."
		if c.Event.DoubtFrom > 0 {
			next = fmt.Sprintf("What it let through from entry %d on counts no more; its rejections, and what it revoked, do.", c.Event.DoubtFrom)
			if len(c.Made) > 0 {
				next += " It enrolled keys since, which count: " + strings.Join(c.Made, ", ") + ". End those that nobody knows: verdict keys revoke ID --reason TEXT."
			}
			next += " Look whether it had a part in what was released since: verdict map show, verdict policy show."
		}
	}
	if c.File != "" {
		rows = append(rows, []string{"file", report.Neutral(c.File)})
	} else if c.Event.Action != identity.Revoke {
		next = "Its owner signs with it where the private half is."
	}
	if len(c.Waits) > 0 {
		head = "Asked that this key be a key of " + person + "."
		if c.Event.Person == decisionmap.LocalKey {
			head = "Asked that this key be this machine's own."
		}
		next = c.waits()
	}
	text := s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ") + report.Wrap(next, s.Width, "") + "\n"
	if c.alone {
		text += report.Wrap("Others are enrolled with this key from here on, and to release a map takes two persons of whom neither enrolled the other. If you are exactly two, revoke it and enroll both of you together: verdict people enroll --help.", s.Width, "") + "\n"
	}
	return text
}

// waits says who makes a key count that one hand alone does not give, and what to type.
func (c keyChanged) waits() string {
	person := c.Event.Person
	if slices.Equal(c.Waits, []string{decisionmap.LocalKey}) {
		return "It counts once this machine's own key enrolls it too, as nobody else is left who could: verdict people enroll " + person + c.given()
	}
	return "It counts once a second person enrolls it too (" + strings.Join(c.Waits, ", ") + "): here, with verdict people enroll " + person + c.given() +
		" --as KEY, or where their key is, with verdict people enroll " + person + " --public-key FILE --as KEY, which is what verdict keys show " + cut(c.Event.Key, 12) + " prints here."
}

// given is how the key is named here: by its file in the ring, or by its public half.
func (c keyChanged) given() string {
	if c.File == "" {
		return " --public-key FILE"
	}
	return ""
}

func keysRevokeCommand() command {
	return command{
		use: "revoke NAME", short: "End a key for good: it was lost, copied, or its person left",
		long: "Records that the key counts no more from here on. It cannot be taken back, and the last key that counts cannot be revoked. What the key signed before stays valid: the ledger's order proves that it came first. " +
			"The revocation is signed with the machine's own key or the one that --as names. A key file on this machine is kept under another name.\n\n" +
			"--since says from when on somebody else may have had the key: what it approved, excepted or let in by break-glass from there on lets nothing through any more, and the gate says so; " +
			"its rejections, and exceptions that it revoked, stay. It may be said of a key that ended already. What the key enrolled or released in that time is not undone: it is listed, to be looked at.",
		example: "verdict keys revoke alma --reason 'laptop lost'\nverdict keys revoke kq3Yb0Zc --reason 'left the team' --as noor\nverdict keys revoke alma --reason 'laptop stolen' --since 2026-11-19T18:00:00Z --as noor",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var reason string
			var since moment
			f.required(&reason, "reason", "TEXT", "why, for the record; no names or addresses")
			f.add(momentValue(&since), "since", "", "from when on somebody else may have had the key: a time, so long ago (2h, 7d), or an entry of the log")
			return changing(func(ctx context.Context, w *workspace, args []string) error {
				return w.revokeKey(ctx, args[0], reason, since)
			})
		},
	}
}

func (w *workspace) revokeKey(ctx context.Context, name, reason string, since moment) error {
	if err := checkReason(reason); err != nil {
		return err
	}
	all, err := w.keysAt(ctx, ledger.Now)
	if err != nil {
		return err
	}
	k, err := all.findKey(name)
	if err != nil {
		return err
	}
	from, err := w.doubtFrom(ctx, since)
	if err != nil {
		return err
	}
	switch others := slices.ContainsFunc(all.Keys, func(o HeldKey) bool { return o.Counts && o.ID != k.ID }); {
	case k.ID == "" || k.Enrolled == nil:
		return &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("the key %s was never enrolled, so there is nothing to revoke", dash(k.Name)), Remedy: "delete its file: " + k.File}
	case k.Counts && !others:
		return &verdict.Error{
			Code: verdict.CodeConflict, What: "this is the only key that counts: without it nobody could record anything in this ledger again",
			Remedy: "replace it (verdict keys rotate " + dash(k.Name) + "), or enroll another key first (verdict people enroll PERSON)",
		}
	case k.Counts:
		if err := w.mayRecord(ctx); err != nil {
			return err
		}
		event := identity.NewRevocation(*k.Enrolled, reason)
		event.DoubtFrom = from
		if err := w.mayEnd(ctx, event); err != nil {
			return err
		}
		if err := w.recordRevocation(ctx, event, k, all.Keys); err != nil {
			return err
		}
	case from > 0 && (k.Enrolled.DoubtFrom == 0 || from < k.Enrolled.DoubtFrom):
		if err := w.mayRecord(ctx); err != nil {
			return err
		}
		event := identity.NewRevocation(*k.Enrolled, reason)
		event.DoubtFrom = from
		if err := w.recordRevocation(ctx, event, k, all.Keys); err != nil {
			return err
		}
	case !k.Current:
		return &verdict.Error{Code: verdict.CodeConflict, What: "key " + k.ID + " was " + k.state(), Remedy: "nothing is left to do: it counts no more"}
	}
	if k.Current { // also after a revocation that was interrupted here
		_, err = w.ring.Retire(k.Name)
	}
	return err
}

func (w *workspace) recordRevocation(ctx context.Context, event identity.KeyEvent, k HeldKey, all []HeldKey) error {
	doc, err := w.stateKey(ctx, event, k.File)
	if err != nil {
		return err
	}
	if event.DoubtFrom > 0 {
		doc.Made = madeSince(all, k.ID, event.DoubtFrom)
	}
	return w.emitKey(doc)
}

// doubtFrom is the index of the first entry that was recorded since; 0: nothing is doubted.
func (w *workspace) doubtFrom(ctx context.Context, since moment) (int64, error) {
	if !since.Set {
		return 0, nil
	}
	if !since.Time.IsZero() {
		since.Time = since.Time.Add(-time.Microsecond) // what was recorded at that time is meant too
	}
	at, err := w.positionOf(ctx, "--since ", since)
	return max(int64(at), 1), err // entry 0 is the enrolment of this machine's key, which lets nothing through
}

// madeSince lists the keys that a key enrolled from an entry on: by somebody else, perhaps.
func madeSince(all []HeldKey, key string, from int64) (ids []string) {
	for _, k := range all {
		if k.Enrolled != nil && k.Enrolled.From >= from && (k.Enrolled.By == key || k.Enrolled.With == key) {
			ids = append(ids, cut(k.ID, 12)+" of "+k.person())
		}
	}
	return ids
}

// checkReason holds what goes into a signed statement for good.
func checkReason(reason string) error {
	if len(reason) > 500 || report.Neutral(reason) != reason {
		return usage("", "--reason is longer than 500 bytes or holds characters that do not show", "say it in one short line")
	}
	if strings.Contains(reason, "@") {
		return usage("", "--reason holds what looks like an address, and those do not go into signed evidence: it is kept for good", "leave persons out of it, or give their id, as under people: in the map")
	}
	return nil
}

// mayRecord refuses a signing key that does not count for the next entry: whoever holds
// it has no say in this ledger.
func (w *workspace) mayRecord(ctx context.Context) error {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	c, err := w.ledger.Checkpoint(ctx)
	if err != nil {
		return err
	}
	id := w.signer.KeyID()
	if _, ok := h.ValidAt(id, int64(c.Position)); ok {
		return nil
	}
	name := w.signerName()
	k := HeldKey{Name: strings.TrimSuffix(filepath.Base(name), ".pem"), ID: id}
	if name == w.app.config.Signer.text {
		k.Name = name
	}
	k.enrolled(h, int64(c.Position))
	remedy := "let somebody whose key counts enroll it: verdict people enroll PERSON --public-key FILE --as KEY"
	switch {
	case k.Enrolled != nil:
		remedy = "sign with a key that counts: --as KEY; verdict keys list shows them"
	case k.Name == name:
		remedy = "print its public half, verdict keys public > FILE, and let the key that signed until now give way to it: verdict keys rotate " + decisionmap.LocalKey + " --public-key FILE, without --signer or with its old value"
	case k.Name == identity.LocalKey:
		remedy = "let two persons enroll it, each with their key: verdict people enroll " + decisionmap.LocalKey + " --as KEY; if verdict keys rotate was interrupted, run it again"
	}
	return &verdict.Error{Code: verdict.CodeForbidden, What: fmt.Sprintf("the key %s cannot sign for this ledger: %s", k.Name, k.state()), Remedy: remedy}
}

// nameOfSigner is for whom the signing key is enrolled.
func (w *workspace) nameOfSigner(ctx context.Context) (string, error) {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return "", err
	}
	k, _ := h.Key(w.signer.KeyID())
	return k.Person, nil
}
