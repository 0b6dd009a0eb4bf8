package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"verdict/decisionmap"
	"verdict/git"
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

// knownPeople is the document verdict.people/v1.
type knownPeople struct {
	Schema   string        `json:"schema"`
	Position int64         `json:"position"` // the log's size that the answer is of
	Map      string        `json:"map"`      // where the people are from
	People   []knownPerson `json:"people"`
	NotShown int           `json:"not_shown,omitempty"` // of a list that was too long for the answer of a server
}

type knownPerson struct {
	identity.Person
	// Known: the map has them under people. Machine: its trust names a key by this id.
	// Keys of others count as those of nobody in particular.
	Known   bool `json:"known"`
	Machine bool `json:"machine"`
	// SignedIn: the map lets a server sign for people, and they have an account to sign in with.
	SignedIn bool      `json:"signed_in,omitempty"`
	Keys     []HeldKey `json:"keys"` // in the order of enrolment
	// Waiting are keys that are to be theirs, and count for nothing until a second person enrolls them.
	Waiting []identity.Waiting `json:"waiting,omitempty"`
}

func peopleListCommand() command {
	return command{
		use: "list", short: "List the people of the map with their accounts and keys",
		long: "The people are those of the file that --map names, else of the released map, else of this repository's map as it judges a change. Keys are those of the ledger, with the entries for which they count. " +
			"A key whose id the map does not have belongs to a machine or to nobody that is known.",
		formats: textOrJSON, reads: true,
		setup: reading(listPeople),
	}
}

func listPeople(ctx context.Context, w *workspace, _ []string) error {
	at, err := w.position(ctx)
	if err != nil {
		return err
	}
	p, err := w.peopleAt(ctx, at)
	if err != nil {
		return err
	}
	p.People, p.NotShown = shown(w.app, p.People)
	return w.app.emit(p, func(s report.Style) string { return p.text(s) })
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
		p := knownPerson{Person: personOf(m, id), Keys: []HeldKey{}}
		_, p.Known = m.People[id]
		p.SignedIn = len(p.Accounts) > 0 && slices.ContainsFunc(m.Trust, func(t decisionmap.Trust) bool { return t.For == decisionmap.ForPeople })
		p.Machine = !p.Known && slices.Contains(trustedNames(m), id)
		for _, k := range keys.Keys {
			if k.person() == id && !slices.ContainsFunc(p.Keys, func(o HeldKey) bool { return o.ID == k.ID }) {
				p.Keys = append(p.Keys, k)
			}
		}
		slices.SortFunc(p.Keys, func(a, b HeldKey) int { return int(a.Enrolled.From - b.Enrolled.From) })
		for _, k := range keys.Keys {
			if k.Waits != nil && k.Waits.Person == id {
				p.Waiting = append(p.Waiting, *k.Waits)
			}
		}
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

// mapOfPeople is the map that says who is who at a position of the ledger. Where none was
// ever released the repository's own one does, of which the log does not say how it was:
// by the built-in one everybody whom it names would look like a stranger.
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
	if w.app.hosted != nil {
		return decisionmap.Builtin(), "the built-in map, as no organisation map is released", nil
	}
	repo, err := repository(ctx, ".")
	if err != nil {
		return nil, "", err
	}
	if at != ledger.Now {
		return mapUnreleased(ctx, repo)
	}
	j, err := w.judgeBy(ctx, repo, goal{})
	return j.Map, j.From, err
}

// mapUnreleased is the map for a time at which none was released. The log does not hold the
// one of then, so it is the repository's of today, and that is said: the built-in one knows
// neither persons nor environments, and would tell that there was nothing.
func mapUnreleased(ctx context.Context, repo *git.Repo) (*decisionmap.Map, string, error) {
	const why = ", as no other was released then"
	if repo == nil {
		return decisionmap.Builtin(), "the built-in map" + why, nil
	}
	base, unknown, err := baseOf(ctx, repo, goal{})
	if err == nil {
		err = unknown
	}
	if err != nil {
		return nil, "", err
	}
	own, _, err := mapAt(ctx, repo, base)
	if err != nil || own == nil {
		return decisionmap.Builtin(), "the built-in map" + why, err
	}
	m, err := decisionmap.Resolve(nil, own)
	return m, decisionmap.FileName + " at " + short(base) + why, err
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
		for _, k := range x.Waiting {
			rows = append(rows, []string{"", "key " + cut(k.Key, 12) + " " + report.Neutral(k.Text())})
		}
		if x.Known && len(x.Keys) == 0 {
			signs := "nothing can be signed for them"
			if x.SignedIn {
				signs = "who signs in as them has the server sign what for: people under trust: lets it"
			}
			rows = append(rows, []string{"", "no key is enrolled: " + signs})
		}
	}
	if len(p.People) == 0 {
		return out + "  nobody\n"
	}
	return out + report.Table(rows, s.Width, "  ")
}
