package decide

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/decisionmap"
	"verdict/identity"
	"verdict/ledger"
)

// Persons reads what persons stated about accepted risk: at one position of the ledger, by
// one map. What was not signed by an enrolled key of a person of that map, in that person's
// own name, or for them by a server where they were signed in and which the map lets do so,
// counts for nothing, and it is told why. One goroutine uses it.
type Persons struct {
	Ledger Ledger
	Map    *decisionmap.Map
	At     ledger.Position

	read    func(ctx context.Context, index int64) (said, error)              // nil: from the ledger
	find    func(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) // likewise
	history *identity.History                                                 // nil until keys makes it
}

func (e *Engine) persons(at ledger.Position) *Persons {
	return &Persons{Ledger: e.Ledger, Map: e.Map, At: at, read: e.said, find: e.find}
}

// step is one statement of a person.
type step[T any] struct {
	entry ledger.Entry
	key   identity.EnrolledKey // whose it is; nobody's where why says so
	place spoken
	said  T
	why   string // it does not count
	gone  bool   // the ledger no longer gives its body
	doubt string // its key may have been somebody else's
}

// doubted lets a statement count for nothing that lets something through and is signed with
// a key that may have been stolen by then. What takes something away stays: it may be its
// owner's, and is no risk.
func (s *step[T]) doubted() {
	if s.why == "" {
		s.why = s.doubt
	}
}

// ref is the statement as evidence.
func (s step[T]) ref() verdict.Ref { return s.entry.Ref() }

// spoken is what a statement says itself of who speaks, when, and about what.
type spoken struct {
	by           string
	at           time.Time
	signedIn     bool // a server speaks for who is signed in there
	service      string
	environments []string
}

// elsewhere reports whether a server speaks for somebody about another place than what the
// statement belongs to: it is let speak by place, and could move one to where it is.
func (s spoken) elsewhere(service string, environments ...string) bool {
	return s.signedIn && (s.service != service || !slices.Equal(s.environments, environments))
}

const otherPlace = "a server signed it for who was signed in, about another service or environment"

// stepsOf reads statements, given newest first, from the oldest on.
func stepsOf[T any](ctx context.Context, p *Persons, entries []ledger.Entry, says func(T) spoken) ([]step[T], error) {
	var out []step[T]
	for _, entry := range slices.Backward(entries) {
		s := step[T]{entry: entry}
		told, err := p.statement(ctx, entry.Index)
		switch {
		case err != nil:
			s.gone, s.why = true, "it cannot be read: "+err.Error()
		case told.failure != nil:
			s.why = "it cannot be read: " + told.failure.Error()
		default:
			if err := told.statement.Decode(&s.said); err != nil {
				s.why = "it cannot be read: " + err.Error()
			}
		}
		if s.why == "" {
			s.place = says(s.said)
			if s.key, s.why, err = p.signer(ctx, entry, s.place); err != nil {
				return nil, err
			}
			if s.key.Doubted(entry.Index) {
				s.doubt = fmt.Sprintf("its key was revoked since, and may have been somebody else's from entry %d on: %s", s.key.DoubtFrom, s.key.Reason)
			}
		}
		out = append(out, s)
	}
	return out, nil
}

func (p *Persons) statement(ctx context.Context, index int64) (s said, err error) {
	if p.read != nil {
		return p.read(ctx, index)
	}
	b, err := p.Ledger.Bundle(ctx, index)
	if err != nil {
		return s, err
	}
	s.statement, s.failure = b.Statement()
	return s, nil
}

// signer is the enrolled key under a statement in which somebody speaks; why says that it
// is not a person's who is spoken of.
func (p *Persons) signer(ctx context.Context, e ledger.Entry, said spoken) (k identity.EnrolledKey, why string, err error) {
	if e.Foreign {
		return k, "it comes from another log or signer, and is a claim: persons answer in this ledger, with a key that is enrolled here", nil
	}
	h, err := p.keys(ctx)
	if err != nil {
		return k, "", err
	}
	k, ok := h.ValidAt(e.Signer, e.Index)
	if ok && said.signedIn {
		if why := p.SpeaksFor(k, e.Kind, said.service, said.environments); why != "" {
			return k, why, nil
		}
		k = k.For(said.by)
	}
	_, known := p.Map.People[k.Person]
	switch {
	case !ok:
		why = "its key was not enrolled when it was recorded"
	case !known && k.SignedIn:
		why = fmt.Sprintf("%q, who was signed in when the server signed it, is not under people: of the map", k.Person)
	case k.Person == decisionmap.LocalKey:
		why = "it is signed with a machine's own key, which is nobody's"
	case !known:
		why = fmt.Sprintf("%q, whose key signed it, is not under people: of the map", k.Person)
	case said.by != k.Person:
		why = fmt.Sprintf("it speaks for %q, and the key of %s signed it", said.by, k.Person)
	case e.At.Sub(said.at).Abs() > maxSkew:
		why = fmt.Sprintf("it says that it was signed at %s, and was recorded at %s", clock(said.at), clock(e.At))
	}
	return k, why, nil
}

// SpeaksFor says why a key may not sign a statement of a kind for persons who are signed in
// where it is, about a service in some environments; "" when it may. It is the key of a server:
// a person's own speaks for that person alone, whatever the map says.
func (p *Persons) SpeaksFor(k identity.EnrolledKey, kind verdict.Kind, service string, environments []string) string {
	if _, person := p.Map.People[k.Person]; person {
		return "it says that a server signed it for who was signed in there, and the key of " + k.Person + " did, which speaks for nobody else"
	}
	if !p.Map.SpeaksForPeople(k.ID, string(kind), service, environments...) {
		return fmt.Sprintf("a server signed it for who was signed in there, and the map does not let its key state %s for people (for: people under trust:) about %s in %s", kind, service, strings.Join(environments, ", "))
	}
	return ""
}

// keys is the life of all keys up to the position.
func (p *Persons) keys(ctx context.Context) (*identity.History, error) {
	if p.history != nil {
		return p.history, nil
	}
	entries, err := p.all(ctx, ledger.Query{Kind: verdict.KindKey})
	if err != nil {
		return nil, err
	}
	h := &identity.History{}
	for _, e := range slices.Backward(entries) {
		if e.Foreign {
			continue
		}
		told, err := p.statement(ctx, e.Index)
		if err == nil {
			err = told.failure
		}
		var event identity.KeyEvent
		if err == nil {
			err = told.statement.Decode(&event)
		}
		if err == nil {
			err = h.Apply(e.Index, e.At, e.Signer, event)
		}
		if err != nil {
			return nil, fmt.Errorf("key event in entry %d: %w", e.Index, err)
		}
	}
	p.history = h
	return h, nil
}

// one says why the keys of two persons may be in one hand; "" when nothing says so.
func (p *Persons) one(ctx context.Context, a, b identity.EnrolledKey) (string, error) {
	h, err := p.keys(ctx)
	if err != nil {
		return "", err
	}
	hands := identity.Hands{History: h, People: map[string]bool{}}
	for id := range p.Map.People {
		hands.People[id] = true
	}
	return hands.One(a, b), nil
}

// oneWith is one for every key that a person had up to an entry, whether or not it still
// counts: whoever enrolls a key and then revokes their own has enrolled it all the same.
// Somebody who never had a key enrolled nobody.
func (p *Persons) oneWith(ctx context.Context, key identity.EnrolledKey, person string, index int64) (string, error) {
	h, err := p.keys(ctx)
	if err != nil {
		return "", err
	}
	for _, other := range h.Keys() {
		if other.Person != person || other.From > index {
			continue
		}
		if why, err := p.one(ctx, key, other); why != "" || err != nil {
			return why, err
		}
	}
	return "", nil
}

// all pages through what a query chooses at the position, newest first.
func (p *Persons) all(ctx context.Context, q ledger.Query) (all []ledger.Entry, err error) {
	q.At, q.Limit = p.At, perNeed
	for {
		page, err := p.entries(ctx, q)
		if err != nil {
			return nil, fmt.Errorf("find %s: %w", q.Kind, err)
		}
		all = append(all, page...)
		if len(page) < q.Limit || page[len(page)-1].Index == 0 {
			return all, nil
		}
		q.Before = page[len(page)-1].Index
	}
}

// entries finds what a query chooses.
func (p *Persons) entries(ctx context.Context, q ledger.Query) ([]ledger.Entry, error) {
	if p.find != nil {
		return p.find(ctx, q)
	}
	return p.Ledger.Find(ctx, q)
}

// teamsOf are the teams of a person by the map.
func (p *Persons) teamsOf(person string) []string {
	return append([]string{}, p.Map.People[person].Teams...)
}

// words are persons and teams as the map names them, with the service's team for `team`.
func (p *Persons) words(named []string, service string) []string {
	out := []string{}
	for _, w := range named {
		if w == decisionmap.TeamOwner {
			if w = p.Map.Services[service].Team; w == "" {
				continue
			}
		}
		out = append(out, w)
	}
	return out
}

// unentitled says why none of some words means a person, who was of some teams when they
// signed; "" when one does. Who has left a team since, or came to it later, is not meant.
func (p *Persons) unentitled(words []string, person string, teams []string) string {
	if slices.Contains(words, person) {
		return ""
	}
	now := p.teamsOf(person)
	for _, w := range words {
		switch then, is := slices.Contains(teams, w), slices.Contains(now, w); {
		case then && is:
			return ""
		case is:
			return fmt.Sprintf("%s was not of %s when it was signed", person, w)
		case then:
			return fmt.Sprintf("%s is not of %s by this map", person, w)
		}
	}
	if len(words) == 0 {
		return "the map lets nobody"
	}
	return fmt.Sprintf("%s is none of %s", person, strings.Join(words, ", "))
}

// longer says that something holds for longer than the map allows; "" when it does not. A
// map that does not limit it allows nothing.
func longer(from, to time.Time, limit decisionmap.Duration) string {
	if to.Sub(from) > time.Duration(limit) {
		return fmt.Sprintf("it holds for %s, and the map allows %s", decisionmap.Duration(to.Sub(from).Round(time.Second)), limit)
	}
	return ""
}

// lacks names what a map requires and a statement does not say. has is what it can say, and
// does where it is true; a word that nobody can say is lacking.
func lacks(required []string, has map[string]bool) string {
	var out []string
	for _, w := range required {
		if !has[w] {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return ""
	}
	return "the map requires " + strings.Join(out, ", ") + ", which it does not say"
}
