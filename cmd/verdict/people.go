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

func peopleCommand() command {
	return command{
		use: "people", short: "Enroll people's signing keys, and list who is known",
		sub: []command{peopleEnrollCommand(), peopleListCommand()},
	}
}

func peopleEnrollCommand() command {
	return command{
		use: "enroll PERSON", short: "Let a key sign for a person from here on",
		long: "PERSON is an id under people: in the decision map, or a name that trust: gives to a machine's key. It stands in signed evidence for good, so it is an id and never an address; " +
			"name, teams and accounts stand in the map alone, where they can be erased. Where a map is released, an id that it does not have is refused.\n\n" +
			"With --public-key the private half stays where it is: the file is what verdict keys show prints there. Without it a key is made on this machine, in a file that only you can read. " +
			"The enrolment is recorded in the ledger, signed with this machine's own key or the one that --as names; once a person is enrolled, it takes a person's key (--as).",
		example: "verdict people enroll alma --public-key alma.pub\nverdict people enroll alma\nverdict people enroll build-agent --public-key agent.pub --as noor",
		args:    exactly(1), formats: textOrJSON,
		setup: func(f *flags) runner {
			var public string
			f.text(&public, "public-key", "FILE", "public key of the person, ECDSA P-256 in PEM; - reads standard input")
			return func(ctx context.Context, a *app, args []string) error { return a.enroll(ctx, args[0], public) }
		},
	}
}

func (a *app) enroll(ctx context.Context, person, public string) error {
	if err := checkPerson(person); err != nil {
		return err
	}
	if person == decisionmap.LocalKey && public != "" {
		return usage("verdict people enroll --help", fmt.Sprintf("%q stands for the key of the machine that the ledger is on", person), localRemedy)
	}
	pem := ""
	if public != "" {
		raw, err := a.readInput(public, "the public key", maxPublicKey)
		if err != nil {
			return err
		}
		if strings.Contains(string(raw), "PRIVATE KEY-----") {
			return &verdict.Error{Code: verdict.CodeInvalid, What: fileName(public) + " holds a private key, which nobody but its owner may have", Remedy: "give the public half: verdict keys show NAME, or openssl ec -pubout"}
		}
		key, err := evidence.ParsePublicPEM(raw)
		if err != nil {
			return err
		}
		pem = evidence.PublicPEM(key)
	}
	w, err := a.open(ctx)
	if err != nil {
		return err
	}
	defer w.close()
	if err := w.mayEnroll(ctx, person); err != nil {
		return err
	}
	if err := w.mayVouch(ctx); err != nil {
		return err
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
	h, err := w.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	if k, ok := h.Key(event.Key); ok {
		held := heldKey{ID: k.ID, Enrolled: &k}
		return &verdict.Error{Code: verdict.CodeConflict, What: fmt.Sprintf("this key is enrolled for %s already: %s", k.Person, held.state()), Remedy: "nothing is left to do if that is right; a key belongs to one person, and one that ended never comes back"}
	}
	return w.recordKey(ctx, event, file)
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
// machine's own key is given to that key alone, and to one at a time: whoever bore it
// could state what the map lets this machine state.
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

// keyFor gives the key of this machine that a person is to sign with, made now if there
// is none.
func (w *workspace) keyFor(ctx context.Context, person string) (*evidence.KeyFile, error) {
	name := strings.ReplaceAll(person, ".", "_") // a dot tells earlier keys from current ones
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

// knownPeople is the document verdict.people/v1.
type knownPeople struct {
	Schema   string        `json:"schema"`
	Position int64         `json:"position"` // the log's size that the answer is of
	Map      string        `json:"map"`      // where the people are from
	People   []knownPerson `json:"people"`
}

type knownPerson struct {
	identity.Person
	// Known: the map has them under people. Machine: its trust names a key by this id.
	// Keys of others count as those of nobody in particular.
	Known   bool      `json:"known"`
	Machine bool      `json:"machine"`
	Keys    []heldKey `json:"keys"` // in the order of enrolment
}

func peopleListCommand() command {
	return command{
		use: "list", short: "List the people of the map with their accounts and keys",
		long: "The people are those of the file that --map names, else of the released map, else of this repository's map as it judges a change. Keys are those of the ledger, with the entries for which they count. " +
			"A key whose id the map does not have belongs to a machine or to nobody that is known.",
		formats: textOrJSON, reads: true,
		setup: reading(func(ctx context.Context, w *workspace, _ []string) error {
			at, err := w.position(ctx)
			if err != nil {
				return err
			}
			p, err := w.peopleAt(ctx, at)
			if err != nil {
				return err
			}
			return w.app.emit(p, func(s report.Style) string { return p.text(s) })
		}),
	}
}

func (w *workspace) peopleAt(ctx context.Context, at ledger.Position) (knownPeople, error) {
	out := knownPeople{Schema: "verdict.people/v1", People: []knownPerson{}}
	m, from, err := w.mapOfPeople(ctx, at)
	if err != nil {
		return out, err
	}
	keys, err := w.keysAt(ctx, at)
	if err != nil {
		return out, err
	}
	out.Map, out.Position = from, keys.Position
	ids := slices.Collect(maps.Keys(m.People))
	for _, k := range keys.Keys {
		if k.Enrolled != nil {
			ids = append(ids, k.person())
		}
	}
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		p := knownPerson{Person: personOf(m, id), Keys: []heldKey{}}
		_, p.Known = m.People[id]
		p.Machine = !p.Known && slices.Contains(trustedNames(m), id)
		for _, k := range keys.Keys {
			if k.person() == id && !slices.ContainsFunc(p.Keys, func(o heldKey) bool { return o.ID == k.ID }) {
				p.Keys = append(p.Keys, k)
			}
		}
		slices.SortFunc(p.Keys, func(a, b heldKey) int { return int(a.Enrolled.From - b.Enrolled.From) })
		out.People = append(out.People, p)
	}
	return out, nil
}

func personOf(m *decisionmap.Map, id string) identity.Person {
	p := identity.Person{ID: id, Name: m.People[id].Name, Teams: []string{}, Accounts: []identity.Account{}}
	p.Teams = append(p.Teams, m.People[id].Teams...)
	for _, system := range decisionmap.AccountSystems {
		for _, name := range m.People[id].Accounts[system] {
			p.Accounts = append(p.Accounts, identity.Account{System: identity.System(system), Name: name})
		}
	}
	return p
}

// mapOfPeople is the map that says who is who at a position of the ledger.
func (w *workspace) mapOfPeople(ctx context.Context, at ledger.Position) (*decisionmap.Map, string, error) {
	if file := w.app.config.Map; file != "" {
		raw, err := w.app.readInput(file, "the map", 4<<20)
		if err != nil {
			return nil, "", err
		}
		m, err := decisionmap.Load(file, raw)
		return m, file, err
	}
	m, err := w.releasedMapAt(ctx, at)
	if err != nil || m != nil {
		return m, "the released organisation map", err
	}
	if at != ledger.Now {
		return decisionmap.Builtin(), "the built-in map, as no other was released then", nil
	}
	repo, err := repository(ctx, ".")
	if err != nil {
		return nil, "", err
	}
	j, err := w.judgeBy(ctx, repo, "")
	return j.Map, j.From, err
}

func (p knownPeople) text(s report.Style) string {
	out := s.Strong("People of "+report.Neutral(p.Map)) + "\n"
	rows := [][]string{}
	for _, x := range p.People {
		about := report.Neutral(x.Name)
		switch {
		case !x.Known && x.ID == decisionmap.LocalKey:
			about = "the machine that the ledger began on"
		case x.Machine:
			about = "a machine: trust: of the map names it"
		case !x.Known:
			about = "not under people: of the map"
		}
		if len(x.Teams) > 0 {
			about += ", of " + report.Neutral(strings.Join(x.Teams, ", "))
		}
		rows = append(rows, []string{report.Neutral(x.ID), strings.TrimPrefix(about, ", ")})
		for _, a := range x.Accounts {
			rows = append(rows, []string{"", report.Neutral(a.String())})
		}
		for _, k := range x.Keys {
			rows = append(rows, []string{"", "key " + cut(k.ID, 12) + " " + k.state()})
		}
		if x.Known && len(x.Keys) == 0 {
			rows = append(rows, []string{"", "no key is enrolled: nothing can be signed for them"})
		}
	}
	if len(p.People) == 0 {
		return out + "  nobody\n"
	}
	return out + report.Table(rows, s.Width, "  ")
}
