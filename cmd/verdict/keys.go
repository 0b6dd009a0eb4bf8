package main

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

func keysCommand() command {
	return command{
		use: "keys", short: "Look at, make, replace and revoke signing keys",
		sub: []command{keysListCommand(), keysShowCommand(), keysCreateCommand(), keysRotateCommand(), keysRevokeCommand()},
	}
}

// heldKey is a key as this machine and this ledger know it.
type heldKey struct {
	// Name is that of its file in the ring, without the suffix; empty: the private key is
	// elsewhere.
	Name string `json:"name"`
	File string `json:"file"`
	ID   string `json:"id"` // empty when the file cannot be opened
	// Current: the file is the one that --as NAME signs with.
	Current bool `json:"current"`
	// Enrolled is its life in the ledger, null when it was never enrolled.
	Enrolled *identity.EnrolledKey `json:"enrolled"`
	Counts   bool                  `json:"counts"`  // for the entry at the position that was asked
	Problem  string                `json:"problem"` // why the file cannot be opened
	public   string
}

// heldKeys is the document verdict.keys/v1.
type heldKeys struct {
	Schema   string    `json:"schema"`
	Position int64     `json:"position"` // the log's size that the answer is of
	Ring     string    `json:"ring"`     // folder of the key files
	Keys     []heldKey `json:"keys"`
}

// keysAt lists the keys of the ring and of the ledger at a position, those of the ring
// first.
func (w *workspace) keysAt(ctx context.Context, at ledger.Position) (heldKeys, error) {
	out := heldKeys{Schema: "verdict.keys/v1", Ring: w.ring.Dir, Keys: []heldKey{}}
	var err error
	if out.Position, err = w.size(ctx, at); err != nil {
		return out, err
	}
	h, err := w.keyHistory(ctx, at)
	if err != nil {
		return out, err
	}
	files, err := w.ring.List()
	if err != nil {
		return out, err
	}
	here := map[string]bool{}
	for _, f := range files {
		k := heldKey{Name: f.Name, File: f.Path, Current: f.Current}
		if f.Err != nil {
			k.Problem = verdict.AsError(f.Err).Error()
		} else {
			k.ID, k.public = f.Key.KeyID(), f.Key.PublicPEM()
			here[k.ID] = true
			k.enrolled(h, out.Position)
		}
		out.Keys = append(out.Keys, k)
	}
	for _, e := range h.Keys() {
		if !here[e.ID] {
			k := heldKey{ID: e.ID, public: e.PublicPEM}
			k.enrolled(h, out.Position)
			out.Keys = append(out.Keys, k)
		}
	}
	return out, nil
}

func (k *heldKey) enrolled(h *identity.History, position int64) {
	if e, ok := h.Key(k.ID); ok {
		k.Enrolled, k.Counts = &e, e.ValidAt(position)
	}
}

// person is for whom the key is enrolled.
func (k heldKey) person() string {
	if k.Enrolled == nil {
		return ""
	}
	return k.Enrolled.Person
}

// state says in a few words whether the key counts.
func (k heldKey) state() string {
	switch {
	case k.Problem != "":
		return report.Neutral(k.Problem)
	case k.Enrolled == nil:
		return "not enrolled: it counts for nothing"
	case k.Enrolled.To == identity.Open:
		return fmt.Sprintf("counts from entry %d", k.Enrolled.From)
	}
	how := "replaced"
	if k.Enrolled.Revoked {
		how = "revoked"
	}
	text := fmt.Sprintf("%s at entry %d, counted from %d", how, k.Enrolled.To, k.Enrolled.From)
	if k.Enrolled.Reason != "" {
		text += ": " + report.Neutral(k.Enrolled.Reason)
	}
	return text
}

// findKey gives the one key that a person means: by the name of its file, its id or the
// start of it, or by whom it is enrolled for when one such key counts.
func (s heldKeys) findKey(want string) (heldKey, error) {
	pick := func(is func(heldKey) bool) []heldKey {
		return slices.DeleteFunc(slices.Clone(s.Keys), func(k heldKey) bool { return !is(k) })
	}
	for _, is := range []func(heldKey) bool{
		func(k heldKey) bool { return k.Name == want },
		func(k heldKey) bool { return k.ID == want || len(want) >= 8 && strings.HasPrefix(k.ID, want) },
		func(k heldKey) bool { return k.person() == want && k.Counts },
	} {
		switch found := pick(is); len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return heldKey{}, usage("verdict keys list", fmt.Sprintf("%q stands for %d keys", want, len(found)), "give the key's id: verdict keys list")
		}
	}
	var names []string
	for _, k := range s.Keys {
		names = append(names, k.Name, k.person())
	}
	return heldKey{}, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("there is no key %q", want), Remedy: meant(want, names, "", "verdict keys list shows the keys")}
}

func keysListCommand() command {
	return command{
		use: "list", short: "List the keys of this machine and of the ledger",
		long: "Shows each key file of this machine, and each key that is enrolled in the ledger whose private half is elsewhere. " +
			"A key counts for the entries of the ledger between the one that enrolled it and the one that ended it; a key that is not enrolled counts for nothing.",
		formats: textOrJSON, reads: true,
		setup: reading(func(ctx context.Context, w *workspace, _ []string) error {
			at, err := w.position(ctx)
			if err != nil {
				return err
			}
			all, err := w.keysAt(ctx, at)
			if err != nil {
				return err
			}
			return w.app.emit(all, func(s report.Style) string {
				rows := [][]string{{"file", "enrolled as", "id", ""}}
				for _, k := range all.Keys {
					rows = append(rows, []string{dash(report.Neutral(k.Name)), dash(report.Neutral(k.person())), dash(cut(k.ID, 12)), k.state()})
				}
				return report.Table(rows, s.Width, "") + report.Wrap("Key files are in "+report.Neutral(all.Ring)+". --as takes a file's name or an id, or its first 8 letters.", s.Width, "") + "\n"
			})
		}),
	}
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func cut(s string, n int) string { return s[:min(n, len(s))] }

func keysShowCommand() command {
	return command{
		use: "show NAME", short: "Show one key and its public half",
		long:    "NAME is the name of a key file, the id of a key or its first letters, or the person that it is enrolled for. The text ends with the public key in PEM and can be given as it is to --key and --public-key.",
		example: "verdict keys show local\nverdict keys show alma > alma.pub",
		args:    exactly(1), formats: textOrJSON, reads: true,
		setup: reading(func(ctx context.Context, w *workspace, args []string) error {
			at, err := w.position(ctx)
			if err != nil {
				return err
			}
			all, err := w.keysAt(ctx, at)
			if err != nil {
				return err
			}
			k, err := all.findKey(args[0])
			if err != nil {
				return err
			}
			if k.ID == "" { // tell why the file cannot be opened
				_, err := w.ring.Open(k.File)
				return err
			}
			doc := struct {
				Schema string `json:"schema"`
				heldKey
				PublicPEM string `json:"public_pem"`
			}{"verdict.key/v1", k, k.public}
			return w.app.emit(doc, func(report.Style) string {
				return fmt.Sprintf("key: %s\nenrolled as: %s\nstate: %s\nfile: %s\n%s", k.ID, dash(report.Neutral(k.person())), k.state(), dash(report.Neutral(k.File)), k.public)
			})
		}),
	}
}

func keysCreateCommand() command {
	return command{
		use: "create NAME", short: "Make a signing key on this machine, without enrolling it",
		long: "Makes a key file that only you can read, for a ledger that lives elsewhere: hand its public half (verdict keys show NAME) to somebody whose key is enrolled there, " +
			"who enrolls it with verdict people enroll. On the machine of the ledger itself verdict people enroll does both.",
		example: "verdict keys create alma",
		args:    exactly(1), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) error {
			w, err := a.openAs(ctx, false)
			if err != nil {
				return err
			}
			defer w.close()
			k, made, err := w.ring.Named(args[0])
			if err != nil {
				return err
			}
			if !made {
				return &verdict.Error{Code: verdict.CodeConflict, What: "there is a key " + args[0] + " already, in " + k.Path(), Remedy: "use it, or replace it: verdict keys rotate " + args[0]}
			}
			doc := heldKey{Name: args[0], File: k.Path(), ID: k.KeyID(), Current: true}
			return a.emit(doc, func(report.Style) string {
				return fmt.Sprintf("Made the key %s: %s\nin %s\nIt counts for nothing until it is enrolled: verdict people enroll %s\n", doc.Name, doc.ID, report.Neutral(doc.File), doc.Name)
			})
		}),
	}
}

func keysRotateCommand() command {
	return command{
		use: "rotate NAME", short: "Replace a key file with a new key of the same person",
		long: "Makes a new key and records, signed by the old one, that it takes the old one's place. What the old key signed stays valid, and its file is kept beside the new one. " +
			"A rotation that was interrupted is taken up again.",
		example: "verdict keys rotate local\nverdict keys rotate alma --reason 'new laptop'",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var reason string
			f.text(&reason, "reason", "TEXT", "why, for the record; no names or addresses")
			return changing(func(ctx context.Context, w *workspace, args []string) error { return w.rotateKey(ctx, args[0], reason) })
		},
	}
}

// changing opens an existing workspace for a command that states key events, and checks
// nothing about its signing key: the command knows which key has to sign.
func changing(r func(ctx context.Context, w *workspace, args []string) error) runner {
	return func(ctx context.Context, a *app, args []string) error {
		if err := a.mustExist(); err != nil {
			return err
		}
		w, err := a.openAs(ctx, false)
		if err != nil {
			return err
		}
		defer w.close()
		return r(ctx, w, args)
	}
}

// keyChanged is the document verdict.key-event/v1: what was recorded.
type keyChanged struct {
	Schema string            `json:"schema"`
	Event  identity.KeyEvent `json:"event"`
	Index  int64             `json:"index"`
	File   string            `json:"file"` // of the new key, or of the one that ended; empty: not here
}

func (w *workspace) rotateKey(ctx context.Context, name, reason string) error {
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
	if current.File == "" {
		return &verdict.Error{Code: verdict.CodeNotFound, What: "the private half of key " + current.ID + " is not on this machine", Remedy: "run this where it is, or revoke it (verdict keys revoke) and enroll a new key"}
	}
	return w.rotateFile(ctx, all, current, reason)
}

// rotateFile makes the new key, if an interrupted rotation did not make it, and records
// the rotation signed by the old one.
func (w *workspace) rotateFile(ctx context.Context, all heldKeys, current heldKey, reason string) error {
	var old, fresh *evidence.KeyFile
	var err error
	before := slices.IndexFunc(all.Keys, func(k heldKey) bool {
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
		err = &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("the key %s does not count: %s", current.Name, current.state()),
			Remedy: "enroll a new one, signed by a key that counts: verdict people enroll PERSON --as KEY",
		}
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
	return w.recordKey(ctx, event, fresh.Path())
}

// recordKey states a key event and tells what came of it.
func (w *workspace) recordKey(ctx context.Context, event identity.KeyEvent, file string) error {
	e, err := w.state(ctx, verdict.KindKey, keySubject(event.Key, event.Person), event, verdict.Context{Retention: "log"})
	if err != nil {
		return err
	}
	doc := keyChanged{"verdict.key-event/v1", event, e.Index, file}
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
	}
	if c.File != "" {
		rows = append(rows, []string{"file", report.Neutral(c.File)})
	} else if c.Event.Action != identity.Revoke {
		next = "Its owner signs with it where the private half is."
	}
	return s.Strong(head) + "\n" + report.Table(rows, s.Width, "  ") + report.Wrap(next, s.Width, "") + "\n"
}

func keysRevokeCommand() command {
	return command{
		use: "revoke NAME", short: "End a key for good: it was lost, copied, or its person left",
		long: "Records that the key counts no more from here on. It cannot be taken back, and the last key that counts cannot be revoked. What the key signed before stays valid: the ledger's order proves that it came first. " +
			"The revocation is signed with the machine's own key or the one that --as names. A key file on this machine is kept under another name.",
		example: "verdict keys revoke alma --reason 'laptop lost'\nverdict keys revoke kq3Yb0Zc --reason 'left the team' --as noor",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var reason string
			f.required(&reason, "reason", "TEXT", "why, for the record; no names or addresses")
			return changing(func(ctx context.Context, w *workspace, args []string) error { return w.revokeKey(ctx, args[0], reason) })
		},
	}
}

func (w *workspace) revokeKey(ctx context.Context, name, reason string) error {
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
	switch others := slices.ContainsFunc(all.Keys, func(o heldKey) bool { return o.Counts && o.ID != k.ID }); {
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
		if err := w.recordKey(ctx, identity.NewRevocation(*k.Enrolled, reason), k.File); err != nil {
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

// checkReason holds what goes into a signed statement for good.
func checkReason(reason string) error {
	if len(reason) > 500 || report.Neutral(reason) != reason {
		return usage("", "--reason is longer than 500 bytes or holds characters that do not show", "say it in one short line")
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
	k := heldKey{Name: strings.TrimSuffix(filepath.Base(w.signer.Path()), ".pem"), ID: id}
	k.enrolled(h, int64(c.Position))
	remedy := "let somebody whose key counts enroll it: verdict people enroll PERSON --public-key FILE --as KEY"
	switch {
	case k.Enrolled != nil:
		remedy = "sign with a key that counts: --as KEY; verdict keys list shows them"
	case k.Name == identity.LocalKey:
		remedy = "let somebody whose key counts enroll it: verdict people enroll " + decisionmap.LocalKey + " --as KEY; if verdict keys rotate was interrupted, run it again"
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
