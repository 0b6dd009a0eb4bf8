package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/ledger"
	"verdict/server/wire"
)

// roleBook is who has which roles, folded from the ledger. It is read on as the log grows.
type roleBook struct {
	ledger *ledger.Ledger
	counts func(ctx context.Context, key string) (bool, error) // whose changes count
	now    func() time.Time

	mu   sync.Mutex // guards what follows, and is held while the ledger is read
	book *identity.Book
	keys *identity.History // at position from
	from int64             // the first entry that was not looked at
	read time.Time
}

// maxChanges bounds what is read of the ledger at once.
const maxChanges = 1000

// at gives the book, which is not changed any more, as it was since a time at the earliest.
// That it cannot be read is an error: roles of yesterday are none.
func (b *roleBook) at(ctx context.Context, since time.Time) (*identity.Book, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if now := b.now(); b.book == nil || b.read.Before(since) || b.read.After(now) {
		if err := b.refresh(ctx); err != nil {
			return nil, fmt.Errorf("roles: %w", err)
		}
		b.read = now
	}
	return b.book, nil
}

// enrolled reports whether a key counts, as it was since a time at the earliest: who signed in
// with it is out when it is revoked.
func (b *roleBook) enrolled(ctx context.Context, key string, since time.Time) (bool, error) {
	if _, err := b.at(ctx, since); err != nil {
		return false, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	k, counts := b.keys.ValidAt(key, b.from)
	return counts && !k.Doubted(b.from), nil
}

// refresh takes over what is new in the ledger. Which keys count is the map's to say: after
// another one was released, all changes are counted again.
func (b *roleBook) refresh(ctx context.Context) error {
	until, err := b.ledger.Position(ctx)
	if err != nil {
		return err
	}
	released, err := b.ledger.Find(ctx, ledger.Query{Kind: verdict.KindMapRelease, At: until, From: b.from, Limit: 1})
	if err != nil {
		return err
	}
	keys, err := b.ledger.Keys(ctx)
	if err != nil {
		return err
	}
	known, from := b.book, b.from
	if len(released) > 0 {
		known, from = nil, 0
	}
	var all []ledger.Entry
	for q := (ledger.Query{Kind: verdict.KindRoleChange, At: until, From: from, Limit: maxChanges}); ; q.Before = all[len(all)-1].Index {
		page, err := b.ledger.Find(ctx, q)
		if err != nil {
			return err
		}
		if all = append(all, page...); len(page) < maxChanges {
			break
		}
	}
	next := &identity.Book{}
	if known != nil {
		next = known
	}
	if len(all) > 0 {
		next = next.Clone()
	}
	for _, e := range slices.Backward(all) {
		if e.Foreign {
			continue
		}
		if counts, err := b.counts(ctx, e.Signer); err != nil || !counts {
			if err != nil {
				return fmt.Errorf("entry %d: %w", e.Index, err)
			}
			continue
		}
		bundle, err := b.ledger.Bundle(ctx, e.Index)
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		s, err := bundle.Statement()
		if err != nil {
			return fmt.Errorf("entry %d: %w", e.Index, err)
		}
		var c identity.RoleChange
		if s.Decode(&c) == nil {
			_ = next.Apply(c) // what nobody can have is given to nobody, whoever recorded it
		}
	}
	b.book, b.keys, b.from = next, keys, int64(until)
	return nil
}

const tagAccess = "access"

type (
	roleIn  struct{ Body wire.RoleAsked }
	roleOut struct{ Body wire.RoleChanged }
)

func (s *SignIn) roleRoutes(srv *Server) {
	type listed struct{ Body wire.Roles }
	Route(srv, Operation{Method: http.MethodGet, Path: "/roles", ID: "list-roles", Summary: "Who has which roles by the ledger", Tag: tagAccess, Verb: identity.Reading,
		About: "Roles that come with a sign-in, by the rules and groups of the sign-in file, are in no list: `GET /me` shows them to who has them."},
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*listed, error) {
			if c.May(identity.Appointing, identity.Object{}) != nil && c.May(identity.Auditing, identity.Object{}) != nil {
				return nil, &verdict.Error{
					Code: verdict.CodeForbidden, What: "the roles of others are for admins and auditors of the organisation", Remedy: "see your own: verdict roles list --mine; or have an admin or auditor look",
				}
			}
			book, err := s.roles.at(ctx, s.o.Now())
			if err != nil {
				return nil, err
			}
			out := &listed{}
			out.Body.Roles = []wire.RoleGrants{}
			for _, who := range book.Subjects() {
				out.Body.Roles = append(out.Body.Roles, wire.RoleGrants{Subject: who, Grants: book.Of(who)})
			}
			return out, nil
		})
	Route(srv, Operation{Method: http.MethodPost, Path: "/roles", ID: "grant-role", Summary: "Give a role", Tag: tagAccess, Verb: identity.Appointing,
		About: "Roles that belong to nobody at once, such as developer and security, are refused. The change is evidence: the server signs it, with the caller as its actor."},
		func(ctx context.Context, c identity.Caller, in *roleIn) (*roleOut, error) {
			return s.change(ctx, c, identity.RoleChange{Subject: in.Body.Subject, Role: in.Body.Role, Scope: in.Body.Scope.Filled(), Given: true, Reason: in.Body.Reason})
		})
	type revoked struct {
		Subject string        `query:"subject" required:"true" maxLength:"200" doc:"whose role it is: an actor, or person:NAME"`
		Role    identity.Role `query:"role" required:"true" enum:"viewer,auditor,developer,approver,security,admin" doc:"which role is taken"`
		Reason  string        `query:"reason" required:"true" maxLength:"1000" minLength:"1" doc:"why; it stands in the evidence"`
	}
	Route(srv, Operation{Method: http.MethodDelete, Path: "/roles", ID: "revoke-role", Summary: "Take a role, in every scope", Tag: tagAccess, Verb: identity.Appointing, Status: http.StatusOK},
		func(ctx context.Context, c identity.Caller, in *revoked) (*roleOut, error) {
			return s.change(ctx, c, identity.RoleChange{Subject: in.Subject, Role: in.Role, Reason: in.Reason})
		})
}

// change records a change of roles, once it was held against what there is.
func (s *SignIn) change(ctx context.Context, c identity.Caller, x identity.RoleChange) (*roleOut, error) {
	if err := c.May(identity.Appointing, identity.Object{}); err != nil {
		return nil, err
	}
	if x.Scope.Services == nil {
		x.Scope = identity.Scope{Services: []string{}, Teams: []string{}, Environments: []string{}}
	}
	book, err := s.roles.at(ctx, s.o.Now())
	if err != nil {
		return nil, err
	}
	if err := book.Clone().Apply(x); err != nil {
		return nil, err
	}
	if x.Given {
		if err := s.another(ctx, c, x.Subject); err != nil {
			return nil, err
		}
		if err := s.exists(ctx, x.Subject); err != nil {
			return nil, err
		}
	}
	if !x.Given && !slices.ContainsFunc(book.Of(x.Subject), func(g identity.Grant) bool { return g.Role == x.Role }) {
		return nil, &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("%s has no role %s by the ledger", x.Subject, x.Role), Remedy: "see who has which: verdict roles list; what the sign-in file gives is taken there"}
	}
	entry, err := s.record(ctx, c, x)
	if err != nil {
		return nil, err
	}
	if book, err = s.roles.at(ctx, s.o.Now()); err != nil {
		return nil, err
	}
	out := &roleOut{}
	out.Body = wire.RoleChanged{Entry: entry.Index, Has: wire.RoleGrants{Subject: x.Subject, Grants: book.Of(x.Subject)}}
	return out, nil
}

// another refuses a role for the caller himself, by whichever of his names: as the person who
// started him, where he is a pipeline, and by the name that a key bears, his own or the one that
// the role is for.
func (s *SignIn) another(ctx context.Context, c identity.Caller, subject string) error {
	keys, err := s.o.Ledger.Keys(ctx)
	if err != nil {
		return err
	}
	mine, _ := keys.Key(c.Key)
	key, _ := strings.CutPrefix(subject, identity.SubjectKey)
	of, _ := keys.Key(key)
	himself := append(c.Subjects(), identity.SubjectPerson+c.Person, identity.SubjectPerson+mine.Person)
	if slices.Contains(himself, subject) || of.Person != "" && slices.Contains(himself, identity.SubjectPerson+of.Person) {
		return forbidden("nobody gives a role to himself", "have another admin give it")
	}
	return nil
}

// exists refuses who is not there: a role for a name that is misspelt would be one for whoever
// bears that name later. Persons are looked for where the map in force names any.
func (s *SignIn) exists(ctx context.Context, subject string) error {
	nobody := func(as, remedy string) error {
		return &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("%.80q is %s", subject, as), Remedy: remedy}
	}
	if person, ok := strings.CutPrefix(subject, identity.SubjectPerson); ok {
		if s.o.People == nil {
			return nil
		}
		people, err := s.o.People(ctx)
		if err != nil || len(people.People()) == 0 {
			return err
		}
		if _, known := people.Person(person); !known {
			return nobody("no person of the map in force", "compare it with people: of the map (verdict map show), or release a map with the person in it first")
		}
		return nil
	}
	if key, ok := strings.CutPrefix(subject, identity.SubjectKey); ok {
		keys, err := s.o.Ledger.Keys(ctx)
		if err != nil {
			return err
		}
		if _, known := keys.Key(key); !known {
			return nobody("no enrolled key", "take its id from verdict keys list; enroll it first: verdict people enroll")
		}
		return nil
	}
	if _, known, err := s.actorOf(ctx, subject); err != nil || known {
		return err
	}
	return nobody("nobody who ever signed in here", "name person:ID, key:ID, or the id that verdict roles list --mine tells who signed in")
}

// record signs a change in the caller's name, and makes it count here at once.
func (s *SignIn) record(ctx context.Context, c identity.Caller, x identity.RoleChange) (ledger.Entry, error) {
	id, now, err := s.act()
	if err != nil {
		return ledger.Entry{}, err
	}
	x.ID, x.By, x.At = "r"+id, c.Actor, now
	e, err := s.state(ctx, verdict.KindRoleChange, x.Subject, x, verdict.Context{Actor: c.Actor, At: now, Retention: "log"})
	if err != nil {
		return ledger.Entry{}, err
	}
	s.roles.mu.Lock()
	s.roles.read = time.Time{}
	s.roles.mu.Unlock()
	s.o.Logger.Info("a role was changed", "subject", x.Subject, "role", x.Role, "given", x.Given, "actor", c.Actor, "entry", e.Index)
	return e, nil
}
