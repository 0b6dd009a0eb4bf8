package main

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"verdict"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

func keysCommand() command {
	return command{
		use: "keys", short: "Look at, make, replace and revoke signing keys",
		sub: []command{keysListCommand(), keysShowCommand(), keysCreateCommand(), keysPublicCommand(), keysRotateCommand(), keysRevokeCommand()},
	}
}

// HeldKey is a key as this machine and this ledger know it.
type HeldKey struct {
	// Name is that of its file in the ring, without the suffix; empty: the private key is
	// elsewhere.
	Name string `json:"name"`
	File string `json:"file"`
	ID   string `json:"id"` // empty when the file cannot be opened
	// Current: the file is the one that --as NAME signs with.
	Current bool `json:"current"`
	// Enrolled is its life in the ledger, none when it was never enrolled.
	Enrolled *identity.EnrolledKey `json:"enrolled,omitempty"`
	Counts   bool                  `json:"counts"`          // for the entry at the position that was asked
	Waits    *identity.Waiting     `json:"waits,omitempty"` // for a second person who enrolls it
	Problem  string                `json:"problem"`         // why the file cannot be opened
	public   string
}

// heldKeys is the document verdict.keys/v1.
type heldKeys struct {
	Schema   string    `json:"schema"`
	Position int64     `json:"position"` // the log's size that the answer is of
	Ring     string    `json:"ring"`     // folder of the key files; empty: those of a server are not told
	Keys     []HeldKey `json:"keys"`
	NotShown int       `json:"not_shown,omitempty"` // of a list that was too long for the answer of a server
}

// keysAt lists the keys of the ring and of the ledger at a position, those of the ring
// first.
func (w *workspace) keysAt(ctx context.Context, at ledger.Position) (heldKeys, error) {
	out := heldKeys{Schema: "verdict.keys/v1", Keys: []HeldKey{}}
	var err error
	if out.Position, err = w.size(ctx, at); err != nil {
		return out, err
	}
	h, err := w.keyHistory(ctx, at)
	if err != nil {
		return out, err
	}
	if w.app.hosted == nil { // which keys lie on the server's machine is nobody's business
		if err := out.inRing(w.ring, h); err != nil {
			return out, err
		}
	}
	here := map[string]bool{}
	for _, k := range out.Keys {
		here[k.ID] = true
	}
	for _, x := range h.Waiting(out.Position) {
		if !here[x.Key] {
			here[x.Key] = true
			out.Keys = append(out.Keys, HeldKey{ID: x.Key, public: x.PublicPEM, Waits: &x})
		}
	}
	for _, e := range h.Keys() {
		if !here[e.ID] {
			k := HeldKey{ID: e.ID, public: e.PublicPEM}
			k.enrolled(h, out.Position)
			out.Keys = append(out.Keys, k)
		}
	}
	return out, nil
}

// inRing adds the keys of which this machine has a file.
func (s *heldKeys) inRing(ring identity.Ring[*evidence.KeyFile], h *identity.History) error {
	files, err := ring.List()
	if err != nil {
		return err
	}
	s.Ring = ring.Dir
	for _, f := range files {
		k := HeldKey{Name: f.Name, File: f.Path, Current: f.Current}
		if f.Err != nil {
			k.Problem = verdict.AsError(f.Err).Error()
		} else {
			k.ID, k.public = f.Key.KeyID(), f.Key.PublicPEM()
			k.enrolled(h, s.Position)
		}
		s.Keys = append(s.Keys, k)
	}
	return nil
}

func (k *HeldKey) enrolled(h *identity.History, position int64) {
	if e, ok := h.Key(k.ID); ok {
		k.Enrolled, k.Counts = &e, e.ValidAt(position)
	}
	for _, x := range h.Waiting(position) {
		if x.Key == k.ID {
			k.Waits = &x
		}
	}
}

// person is for whom the key is enrolled.
func (k HeldKey) person() string {
	if k.Enrolled == nil {
		return ""
	}
	return k.Enrolled.Person
}

// state says in a few words whether the key counts.
func (k HeldKey) state() string {
	switch {
	case k.Problem != "":
		return report.Neutral(k.Problem)
	case k.Enrolled == nil && k.Waits != nil:
		return "to be a key of " + report.Neutral(k.Waits.Person) + ", and " + k.Waits.Text()
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
	if k.Enrolled.DoubtFrom > 0 {
		text += fmt.Sprintf(", doubted from entry %d on", k.Enrolled.DoubtFrom)
	}
	if k.Enrolled.Reason != "" {
		text += ": " + report.Neutral(k.Enrolled.Reason)
	}
	return text
}

// findKey gives the one key that a person means: by the name of its file, its id or the
// start of it, or by whom it is enrolled for when one such key counts.
func (s heldKeys) findKey(want string) (HeldKey, error) {
	pick := func(is func(HeldKey) bool) []HeldKey {
		return slices.DeleteFunc(slices.Clone(s.Keys), func(k HeldKey) bool { return !is(k) })
	}
	for _, is := range []func(HeldKey) bool{
		func(k HeldKey) bool { return k.Name == want },
		func(k HeldKey) bool { return k.ID == want || len(want) >= 8 && strings.HasPrefix(k.ID, want) },
		func(k HeldKey) bool { return k.person() == want && k.Counts },
	} {
		switch found := pick(is); len(found) {
		case 0:
		case 1:
			return found[0], nil
		default:
			return HeldKey{}, usage("verdict keys list", fmt.Sprintf("%q stands for %d keys", want, len(found)), "give the key's id: verdict keys list")
		}
	}
	var names []string
	for _, k := range s.Keys {
		if k.person() == want {
			return HeldKey{}, &verdict.Error{
				Code: verdict.CodeNotFound, What: "no key of " + want + " counts any more",
				Remedy: "give the id of the one that you mean, which verdict keys list shows, or enroll a new one: verdict people enroll " + want,
			}
		}
		names = append(names, k.Name, k.person())
	}
	return HeldKey{}, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("there is no key %q", want), Remedy: meant(want, names, "", "verdict keys list shows the keys")}
}

func keysListCommand() command {
	return command{
		use: "list", short: "List the keys of this machine and of the ledger",
		long: "Shows each key file of this machine, and each key that is enrolled in the ledger whose private half is elsewhere. " +
			"A key counts for the entries of the ledger between the one that enrolled it and the one that ended it; a key that is not enrolled, or waits for a second person to enroll it, counts for nothing.",
		formats: textOrJSON, reads: true,
		setup: reading(listKeys),
	}
}

func listKeys(ctx context.Context, w *workspace, _ []string) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	all, err := w.keysAt(ctx, at)
	if err != nil {
		return err
	}
	all.Keys, all.NotShown = shown(w.app, all.Keys)
	return w.app.emit(all, func(s report.Style) string {
		rows := [][]string{{"file", "enrolled as", "id", ""}}
		for _, k := range all.Keys {
			rows = append(rows, []string{dash(report.Neutral(k.Name)), dash(report.Neutral(k.person())), dash(cut(k.ID, 12)), k.state()})
		}
		return report.Table(rows, s.Width, "") + report.Wrap("Key files are in "+report.Neutral(all.Ring)+". --as takes a file's name or an id, or its first 8 letters.", s.Width, "") + "\n"
	})
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
		setup: reading(showKey),
	}
}

// shownKey is the document verdict.key/v1.
type shownKey struct {
	Schema string `json:"schema"`
	HeldKey
	PublicPEM string `json:"public_pem"`
}

func showKey(ctx context.Context, w *workspace, args []string) error {
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
	return w.app.emit(shownKey{"verdict.key/v1", k, k.public}, func(report.Style) string {
		return fmt.Sprintf("key: %s\nenrolled as: %s\nstate: %s\nfile: %s\n%s", k.ID, dash(report.Neutral(k.person())), k.state(), dash(report.Neutral(k.File)), k.public)
	})
}

func keysCreateCommand() command {
	return command{
		use: "create NAME", short: "Make a signing key on this machine, without enrolling it",
		long: "Makes a key file that only you can read, for a ledger that lives elsewhere: hand its public half (verdict keys show NAME) to somebody whose key is enrolled there, " +
			"who enrolls it with verdict people enroll. On the machine of the ledger itself verdict people enroll does both.",
		example: "verdict keys create alma",
		args:    exactly(1), formats: textOrJSON,
		setup: runs(func(ctx context.Context, a *app, args []string) (err error) {
			w, err := a.openAs(ctx, false)
			if err != nil {
				return err
			}
			defer w.end(&err)
			k, made, err := w.ring.Named(args[0])
			if err != nil {
				return err
			}
			if !made {
				return &verdict.Error{Code: verdict.CodeConflict, What: "there is a key " + args[0] + " already, in " + k.Path(), Remedy: "use it, or replace it: verdict keys rotate " + args[0]}
			}
			doc := HeldKey{Name: args[0], File: k.Path(), ID: k.KeyID(), Current: true}
			return a.emit(doc, func(report.Style) string {
				return fmt.Sprintf("Made the key %s: %s\nin %s\nIt counts for nothing until it is enrolled: verdict people enroll %s\n", doc.Name, doc.ID, report.Neutral(doc.File), doc.Name)
			})
		}),
	}
}
