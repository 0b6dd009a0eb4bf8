package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"verdict"
	"verdict/decisionmap"
	"verdict/evidence"
	"verdict/identity"
	"verdict/ledger"
	"verdict/report"
)

func peopleEnrollCommand() command {
	return command{
		use: "enroll PERSON [PERSON]", short: "Let a key sign for a person from here on",
		long: "PERSON is an id under people: in the decision map, or a name that trust: gives to a machine's key. It stands in signed evidence for good, so it is an id and never an address; " +
			"name, teams and accounts stand in the map alone, where they can be erased. Where a map is released, an id that it does not have is refused.\n\n" +
			"With --public-key the private half stays where it is: the file is what verdict keys show prints there. Without it a key is made on this machine, in a file that only you can read. " +
			"The enrolment is recorded in the ledger, signed with this machine's own key or the one that --as names; once a person is enrolled, it takes a person's key (--as). " +
			"A name that somebody bore is given again by its bearer, by the person who enrolled its first key, or by two persons of whom nobody enrolled the other: each enrolls the same key, and it counts with the second. " +
			"Where only one person is left, this machine's own key is the second. local, the name of this machine's own key, takes two persons.\n\n" +
			"Two persons release a map only where neither enrolled the other. So an organisation of exactly two enrolls both in one call, while nobody is enrolled: two ids, and for each of them --public-key in the same order.",
		example: "verdict people enroll alma --public-key alma.pub\nverdict people enroll alma\nverdict people enroll build-agent --public-key agent.pub --as noor\n" +
			"verdict people enroll alma noor --public-key alma.pub --public-key noor.pub",
		args: between(1, 2), formats: textOrJSON,
		setup: func(f *flags) runner {
			var public []string
			f.list(&public, "public-key", "FILE", "public key of the person, ECDSA P-256 in PEM; - reads standard input; for two persons given twice")
			return func(ctx context.Context, a *app, args []string) error {
				if len(args) == 2 {
					return a.enrollPair(ctx, args, public)
				}
				if len(public) > 1 {
					return usage("verdict people enroll --help", "one person has one --public-key here", "enroll the keys of one person one by one, and two persons together by naming both")
				}
				return a.enroll(ctx, args[0], strings.Join(public, ""))
			}
		},
	}
}

func (a *app) enroll(ctx context.Context, person, public string) (err error) {
	if err := checkPerson(person); err != nil {
		return err
	}
	pem := ""
	if public != "" {
		var err error
		if pem, err = a.readPublicKey(public); err != nil {
			return err
		}
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	if err := w.mayEnroll(ctx, person); err != nil {
		return err
	}
	who, refused := w.mayVouch(ctx)
	if refused != nil && !w.waits(ctx, person) {
		return refused
	}
	file := ""
	if pem == "" {
		k, err := w.keyFor(ctx, person)
		if err != nil {
			return err
		}
		pem, file = k.PublicPEM(), k.Path()
	}
	event, err := identity.NewEnrolment(person, pem)
	if err != nil {
		return err
	}
	if err := w.unknownKey(ctx, event.Key, person); err != nil {
		return err
	}
	t, err := w.tryEnrolment(ctx, event)
	if err != nil {
		return err
	}
	if refused != nil && !t.second {
		return refused
	}
	return w.recordEnrolment(ctx, event, file, t, who)
}

// readPublicKey reads the public half of somebody's key, and no private one.
func (a *app) readPublicKey(file string) (pem string, err error) {
	raw, err := a.readInput(file, "the public key", maxPublicKey)
	if err != nil {
		return "", err
	}
	if strings.Contains(string(raw), "PRIVATE KEY-----") {
		return "", &verdict.Error{Code: verdict.CodeInvalid, What: fileName(file) + " holds a private key, which nobody but its owner may have", Remedy: "give the public half: verdict keys show NAME, or openssl ec -pubout"}
	}
	key, err := evidence.ParsePublicPEM(raw)
	if err != nil {
		return "", err
	}
	return evidence.PublicPEM(key), nil
}

// unknownKey refuses to enroll a key for a person that somebody has already, or had.
func (w *workspace) unknownKey(ctx context.Context, id, person string) error {
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	k, ok := h.Key(id)
	if !ok {
		return nil
	}
	another := fmt.Sprintf("make another under a name that is free, verdict keys create NAME, print it with verdict keys show NAME > FILE, and enroll that: verdict people enroll %s --public-key FILE", person)
	e := &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("this key is enrolled for %s already: %s", k.Person, HeldKey{ID: k.ID, Enrolled: &k}.state())}
	switch {
	case k.To != identity.Open:
		e.What = fmt.Sprintf("this key was enrolled for %s, and a key that ended never comes back: %s", k.Person, HeldKey{ID: k.ID, Enrolled: &k}.state())
		e.Remedy = another
	case k.Person == person:
		e.Remedy = "nothing is left to do: sign with it (verdict keys list shows its name where its file is)"
	default:
		e.Remedy = "a key belongs to one person: " + another
	}
	return e
}

// enrollPair enrolls the first two persons of a ledger together, so that neither of them
// enrolled the other.
func (a *app) enrollPair(ctx context.Context, persons, public []string) (err error) {
	const see = "verdict people enroll --help"
	for _, p := range persons {
		if err := checkPerson(p); err != nil {
			return err
		}
		if p == decisionmap.LocalKey {
			return usage(see, fmt.Sprintf("%q stands for a machine, and two persons are enrolled together", p), localRemedy)
		}
	}
	if len(public) != 2 {
		return usage(see, fmt.Sprintf("two persons are enrolled together with the key that each of them made, and --public-key is given %s", plural(len(public), "time", "times")),
			"let each run verdict keys create NAME and verdict keys show NAME > FILE, then give both files in the order of the persons: --public-key FILE --public-key FILE")
	}
	if public[0] == standardInput && public[1] == standardInput {
		return usage(see, "both keys are to come from standard input (--public-key - twice), which is read once", "give the second one as a file: --public-key - --public-key FILE")
	}
	var pems [2]string
	for i := range pems {
		var err error
		if pems[i], err = a.readPublicKey(public[i]); err != nil {
			return err
		}
	}
	one, two, err := identity.NewPair(persons[0], pems[0], persons[1], pems[1])
	if err != nil {
		return err
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.end(&err)
	for _, e := range []identity.KeyEvent{one, two} {
		if err := w.mayEnroll(ctx, e.Person); err != nil {
			return err
		}
		if err := w.unknownKey(ctx, e.Key, e.Person); err != nil {
			return err
		}
	}
	if err := w.mayFound(ctx); err != nil {
		return err
	}
	if t, err := w.tryEnrolment(ctx, one, two); err != nil {
		return err
	} else if !t.counts {
		return notByMachine(strings.Join(persons, " and "), t)
	}
	return w.recordPair(ctx, one, two)
}

// keyPair is the document verdict.key-pair/v1: two keys that were enrolled together.
type keyPair struct {
	Schema   string       `json:"schema"`
	Enrolled []keyChanged `json:"enrolled"`
}

func (w *workspace) recordPair(ctx context.Context, events ...identity.KeyEvent) error {
	var bundles []*evidence.Bundle
	for _, e := range events {
		b, err := w.sign(ctx, verdict.KindKey, keySubject(e.Key, e.Person), e, verdict.Context{Retention: "log"})
		if err != nil {
			return err
		}
		bundles = append(bundles, b)
	}
	entries, err := w.ledger.AppendAll(ctx, bundles)
	if err != nil {
		return err
	}
	doc := keyPair{Schema: "verdict.key-pair/v1"}
	for i, e := range entries {
		doc.Enrolled = append(doc.Enrolled, keyChanged{Schema: keyEventSchema, Event: events[i], Index: e.Index})
	}
	return w.app.emit(doc, func(s report.Style) string { return doc.text(s) })
}

func (p keyPair) text(s report.Style) string {
	a, b := p.Enrolled[0], p.Enrolled[1]
	rows := [][]string{}
	for _, k := range p.Enrolled {
		rows = append(rows, []string{k.Event.Person, "key " + k.Event.Key, fmt.Sprintf("entry %d", k.Index)})
	}
	return s.Strong("Enrolled "+a.Event.Person+" and "+b.Event.Person+" together.") + "\n" + report.Table(rows, s.Width, "  ") +
		report.Wrap("Neither enrolled the other, so they count as two: the first to run verdict map release FILE --as KEY proposes a map, the other one releases it. "+
			"That they are two people, each with their own key, is this machine's word: let both compare their key with verdict keys show.", s.Width, "") + "\n"
}

const localRemedy = "enroll this key under an id of its own, and name that id in the map's trust"

// checkPerson holds the form of an id. It goes into signed evidence.
func checkPerson(id string) error {
	const see = "verdict people enroll --help"
	switch {
	case strings.ContainsAny(id, "@ "):
		return usage(see, fmt.Sprintf("%q is a name or an address, and those do not go into signed evidence", id), "give the person's id, as under people: in the map")
	case len(id) > 64 || strings.Trim(id, "abcdefghijklmnopqrstuvwxyz0123456789._-") != "" || strings.Trim(id[:1], "abcdefghijklmnopqrstuvwxyz0123456789") != "":
		return usage(see, fmt.Sprintf("%q is no id of a person", id), "use lower-case letters, digits, dots, dashes and underscores, as under people: in the map")
	}
	return nil
}

// mayEnroll refuses an id that the released map does not know. The name of the
// machine's own key is given to one at a time: whoever bore it could state what the map
// lets this machine state.
func (w *workspace) mayEnroll(ctx context.Context, person string) error {
	if person == decisionmap.LocalKey {
		h, err := w.ledger.Keys(ctx)
		if err != nil {
			return err
		}
		for _, k := range h.Keys() {
			if k.Person == person && k.To == identity.Open {
				return &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("%q stands for the key of the machine that the ledger began on, and it counts", person), Remedy: localRemedy}
			}
		}
		return nil
	}
	m, err := w.releasedMapAt(ctx, ledger.Now)
	if err != nil || m == nil {
		return err
	}
	known := append(slices.Sorted(maps.Keys(m.People)), trustedNames(m)...)
	if slices.Contains(known, person) {
		return nil
	}
	return &verdict.Error{
		Code: verdict.CodeInvalid, What: fmt.Sprintf("the released map knows nobody by the id %q: neither under people: nor as a key under trust:", person),
		Remedy: meant(person, known, "", "add "+person+" under people: in the map and release it: verdict map release"),
	}
}

// trustedNames are the names that the map's trust gives to keys.
func trustedNames(m *decisionmap.Map) []string {
	var out []string
	for _, t := range m.Trust {
		if t.Key != "" && !evidence.IsKeyID(t.Key) {
			out = append(out, t.Key)
		}
	}
	return out
}

// keyNames turns the id of a person into the name of a key file. A dot there tells earlier
// keys from current ones; no two ids have one name.
var keyNames = strings.NewReplacer("_", "__", ".", "_-")

// keyFor gives the key of this machine that a person is to sign with, made now if there
// is none.
func (w *workspace) keyFor(ctx context.Context, person string) (*evidence.KeyFile, error) {
	name := keyNames.Replace(person)
	k, made, err := w.ring.Named(name)
	if err != nil || made {
		return k, err
	}
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return nil, err
	}
	if e, ok := h.Key(k.KeyID()); ok && e.To == identity.Open {
		return nil, &verdict.Error{
			Code: verdict.CodeConflict, What: fmt.Sprintf("this machine has a key %s, enrolled for %s", name, e.Person),
			Remedy: "replace it with verdict keys rotate " + name + ", or enroll a key from elsewhere with --public-key FILE",
		}
	}
	return k, nil
}
