package server

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"verdict"
	"verdict/identity"
	"verdict/server/wire"
	"verdict/store"
)

// heldOf is a credential as it is shown.
func heldOf(c store.Credential, asks identity.Caller) (wire.Held, error) {
	h, err := holdingOf(c)
	if err != nil {
		return wire.Held{}, err
	}
	at := func(us int64) time.Time { return time.UnixMicro(us).UTC() }
	out := wire.Held{ID: c.ID, Actor: c.Actor, Label: h.Label, Workload: h.Caller.Workload, Grants: append([]identity.Grant{}, h.Narrow...), Made: at(c.Made), Expires: at(c.Expires), Current: c.ID == asks.Session}
	if c.Revoked != 0 {
		t := at(c.Revoked)
		out.Revoked = &t
	}
	return out, nil
}

// Routes adds what people and machines sign in by, and what is theirs afterwards.
func (s *SignIn) Routes(srv *Server) {
	s.exchangeRoute(srv)
	s.pages(srv)
	s.roleRoutes(srv)
	s.meRoutes(srv)
	s.listRoutes(srv)
	s.tokenRoute(srv)
	s.actorRoutes(srv)
}

func (s *SignIn) meRoutes(srv *Server) {
	type me struct{ Body wire.Me }
	Route(srv, Operation{Method: http.MethodGet, Path: "/me", ID: "show-me", Summary: "Who I am, with which roles", Tag: tagAccess, Public: true,
		About: "Also for who has no role yet: what an admin gives one to is `actor`."},
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*me, error) {
			if c.Actor == "" {
				p := notSignedIn()
				p.What += ", or what was sent is not known here, has expired or was revoked" // the route is public: the border lets all of them in as nobody
				p.Detail = p.What
				return nil, p
			}
			a, _, err := s.actorOf(ctx, c.Actor)
			return &me{wire.Me{Caller: c, Name: a.Name}}, err
		})
	Route(srv, Operation{Method: http.MethodDelete, Path: "/session", ID: "end-session", Summary: "Sign out", Tag: tagAccess, Verb: identity.Reading, Once: true, Status: http.StatusNoContent},
		func(ctx context.Context, c identity.Caller, _ *struct{}) (*struct{}, error) {
			return nil, s.leave(ctx, c)
		})
}

type listIn struct {
	All   bool   `query:"all" doc:"those of everybody, which takes a role that manages access"`
	After string `query:"after" maxLength:"100" doc:"continue behind this id"`
	Limit int64  `query:"limit" minimum:"1" maximum:"1000" default:"100" doc:"rows of a page"`
}

type listOut struct{ Body wire.HeldList }

// listRoutes adds, for sessions and for API tokens, what lists them and what ends one.
func (s *SignIn) listRoutes(srv *Server) {
	for _, x := range []struct{ kind, path, one, many string }{{sessionKind, "/sessions", "session", "sessions"}, {tokenKind, "/tokens", "token", "API tokens"}} {
		Route(srv, Operation{Method: http.MethodGet, Path: x.path, ID: "list-" + x.one + "s", Summary: "List " + x.many, Tag: tagAccess, Verb: identity.Reading},
			func(ctx context.Context, c identity.Caller, in *listIn) (*listOut, error) {
				return s.list(ctx, c, x.kind, in)
			})
		type one struct {
			ID string `path:"id" maxLength:"100" doc:"as the list has it"`
		}
		Route(srv, Operation{Method: http.MethodDelete, Path: x.path + "/{id}", ID: "revoke-" + x.one, Summary: "Revoke one of the " + x.many, Tag: tagAccess, Verb: identity.Reading, Once: true, Status: http.StatusNoContent,
			About: "One's own, or anybody's with a role that manages access."},
			func(ctx context.Context, c identity.Caller, in *one) (*struct{}, error) {
				return nil, s.end(ctx, c, x.kind, in.ID)
			})
	}
}

func (s *SignIn) list(ctx context.Context, c identity.Caller, kind string, in *listIn) (*listOut, error) {
	of := c.Actor
	if in.All {
		if err := c.May(identity.Managing, identity.Object{}); err != nil {
			return nil, err
		}
		of = ""
	}
	var rows []store.Credential
	err := s.o.Store.View(ctx, func(v *store.View) (err error) {
		rows, err = v.Credentials(ctx, of, kind, in.After, in.Limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	out := &listOut{}
	out.Body.Items = []wire.Held{}
	for _, r := range rows {
		h, err := heldOf(r, c)
		if err != nil {
			return nil, err
		}
		out.Body.Items = append(out.Body.Items, h)
	}
	if int64(len(rows)) == in.Limit {
		out.Body.Next = rows[len(rows)-1].ID
	}
	return out, nil
}

// end revokes a credential of the caller, or of somebody else where he manages access. Whose
// it is that he may not see is not told.
func (s *SignIn) end(ctx context.Context, c identity.Caller, kind, id string) error {
	x, found, err := s.credential(ctx, id)
	if err != nil {
		return err
	}
	may := c.May(identity.Managing, identity.Object{})
	if !found || x.Kind != kind || x.Actor != c.Actor && may != nil {
		return &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("you have no %s %.60q", kind, id), Remedy: fmt.Sprintf("list yours: verdict %ss list; those of others take a role that manages access", kind)}
	}
	if err := s.revoke(ctx, id); err != nil {
		return err
	}
	switch {
	case kind == tokenKind:
		return s.recordAccess(ctx, c, identity.TokenRevoked, x.Actor, id)
	case x.Actor != c.Actor:
		return s.recordAccess(ctx, c, identity.SessionRevoked, x.Actor, id)
	}
	return nil
}

// leave ends what a caller came with.
func (s *SignIn) leave(ctx context.Context, c identity.Caller) error {
	x, _, err := s.credential(ctx, c.Session)
	if err != nil {
		return err
	}
	return s.end(ctx, c, x.Kind, c.Session)
}

func (s *SignIn) credential(ctx context.Context, id string) (c store.Credential, found bool, err error) {
	err = s.o.Store.View(ctx, func(v *store.View) (err error) {
		c, found, err = v.CredentialByID(ctx, id)
		return err
	})
	return c, found, err
}

// revoke ends a credential here at once, and in other replicas as soon as they look.
func (s *SignIn) revoke(ctx context.Context, id string) error {
	_, err := s.o.Store.RevokeCredential(ctx, id, s.o.Now().UnixMicro())
	s.forget()
	if err == nil {
		s.o.Logger.Info("a session or token was revoked", "session", id)
	}
	return err
}

type (
	tokenIn  struct{ Body wire.TokenAsked }
	tokenOut struct{ Body wire.TokenMade }
)

func (s *SignIn) tokenRoute(srv *Server) {
	Route(srv, Operation{Method: http.MethodPost, Path: "/tokens", ID: "create-token", Summary: "Make an API token", Tag: tagAccess, Verb: identity.Reading, Once: true,
		About: "It never gives more than its owner has at the time it is used. What a machine may do is given to it as roles, which is evidence."},
		func(ctx context.Context, c identity.Caller, in *tokenIn) (*tokenOut, error) {
			for i := range in.Body.Grants {
				g := &in.Body.Grants[i]
				g.Scope = g.Scope.Filled()
				if !slices.Contains(identity.Roles, g.Role) {
					return nil, (identity.RoleChange{Role: g.Role}).Check()
				}
			}
			if err := identity.Together(in.Body.Grants); err != nil {
				return nil, err
			}
			h, err := s.holderOf(ctx, c, in)
			if err != nil {
				return nil, err
			}
			secret, x, err := s.issue(ctx, tokenKind, tokenPrefix, h, time.Duration(in.Body.Days)*24*time.Hour, nil)
			if err != nil {
				return nil, err
			}
			if err := s.recordAccess(ctx, c, identity.TokenMade, x.Actor, x.ID); err != nil {
				return nil, err
			}
			out := &tokenOut{}
			out.Body.Token = secret
			out.Body.Held, err = heldOf(x, c)
			return out, err
		})
}

// holderOf is who holds a new token: the caller, narrowed, or a machine that he appoints.
func (s *SignIn) holderOf(ctx context.Context, c identity.Caller, in *tokenIn) (h holding, err error) {
	h = holding{Label: in.Body.Label, Narrow: in.Body.Grants}
	if !in.Body.Machine {
		if in.Body.Days > maxOwnDays {
			return h, &verdict.Error{Code: verdict.CodeInvalid, What: fmt.Sprintf("a token of one's own lasts at most %d days: what a sign-in gave is not asked for again meanwhile", maxOwnDays), Remedy: "make it shorter, or have an admin make one for a machine"}
		}
		old, found, err := s.credential(ctx, c.Session)
		if err != nil {
			return h, err
		}
		if !found || old.Kind != sessionKind {
			return h, forbidden("an API token makes no other one", "sign in, and make it then: verdict login --server URL")
		}
		own, err := holdingOf(old)
		if err != nil {
			return h, err
		}
		h.Caller, h.Came = own.Caller, own.Came.ungrouped()
		h.Caller.Key = ""
		lasting, err := s.has(ctx, h.Caller, h.Came, s.o.Now().Add(-knownFor))
		if err != nil {
			return h, err
		}
		for _, g := range in.Body.Grants {
			switch {
			case !g.Within(c.Grants):
				return h, forbidden(fmt.Sprintf("you do not have the role %s in all of that scope, so a token of yours has not either", g.Role), "leave out what you have not (verdict roles list --mine), or have an admin make one for a machine")
			case !g.Within(lasting):
				return h, forbidden(fmt.Sprintf("you have the role %s by a group or by the key that you signed in with, and a token of yours outlasts what is known of both", g.Role),
					fmt.Sprintf("have an admin give it to yourself: verdict roles grant %s %s --reason TEXT", c.Actor, g.Role))
			}
		}
		return h, nil
	}
	if err := c.May(identity.Appointing, identity.Object{}); err != nil {
		return h, err
	}
	if strings.TrimSpace(in.Body.Label) == "" {
		return h, &verdict.Error{Code: verdict.CodeInvalid, What: "the machine has no name", Remedy: "name it by what it does"}
	}
	if h.Caller.Actor, err = s.actor(ctx, "verdict:machine", fmt.Sprint(in.Body.Label, s.o.Now().UnixNano()), in.Body.Label, ""); err != nil {
		return h, err
	}
	for _, g := range in.Body.Grants {
		x := identity.RoleChange{Subject: h.Caller.Actor, Role: g.Role, Scope: g.Scope, Given: true, Reason: "API token: " + in.Body.Label}
		if err := x.Check(); err != nil {
			return h, err
		}
		if _, err := s.record(ctx, c, x); err != nil {
			return h, err
		}
	}
	return h, nil
}

// Known is who is behind the id of an actor.
type Known struct {
	ID      string     `json:"id"`
	Name    string     `json:"name"`
	Address string     `json:"address"`
	Made    time.Time  `json:"made"`
	Erased  *time.Time `json:"erased,omitempty"`
}

func (s *SignIn) actorOf(ctx context.Context, id string) (a store.Actor, found bool, err error) {
	err = s.o.Store.View(ctx, func(v *store.View) (err error) {
		a, found, err = v.Actor(ctx, id)
		return err
	})
	return a, found, err
}

func (s *SignIn) actorRoutes(srv *Server) {
	type one struct {
		ID string `path:"id" maxLength:"100" doc:"as evidence names the actor"`
	}
	type known struct{ Body Known }
	none := func(id string) error {
		return &verdict.Error{Code: verdict.CodeNotFound, What: fmt.Sprintf("no actor has the id %.60q, or what was known of him is erased", id), Remedy: "take the id as evidence has it: verdict trail"}
	}
	Route(srv, Operation{Method: http.MethodGet, Path: "/actors/{id}", ID: "show-actor", Summary: "Who is behind an id that evidence names", Tag: tagAccess, Verb: identity.Auditing},
		func(ctx context.Context, c identity.Caller, in *one) (*known, error) {
			if err := c.May(identity.Auditing, identity.Object{}); err != nil {
				return nil, err
			}
			a, found, err := s.actorOf(ctx, in.ID)
			if err != nil || !found {
				return nil, cmpError(err, none(in.ID))
			}
			out := &known{Known{ID: a.ID, Name: a.Name, Address: a.Address, Made: time.UnixMicro(a.Made).UTC()}}
			if a.Erased != 0 {
				t := time.UnixMicro(a.Erased).UTC()
				out.Body.Erased = &t
			}
			return out, nil
		})
	Route(srv, Operation{Method: http.MethodDelete, Path: "/actors/{id}", ID: "erase-actor", Summary: "Forget who is behind an id", Tag: tagAccess, Verb: identity.Managing, Once: true, Status: http.StatusNoContent,
		About: "Name and address go, the id stays in the evidence that names it, and sessions and tokens end."},
		func(ctx context.Context, c identity.Caller, in *one) (*struct{}, error) {
			if err := c.May(identity.Managing, identity.Object{}); err != nil {
				return nil, err
			}
			if _, found, err := s.actorOf(ctx, in.ID); err != nil || !found {
				return nil, cmpError(err, none(in.ID))
			}
			// Before it is done: nobody erases twice, and an erasure without a record is for ever.
			if err := s.recordAccess(ctx, c, identity.ActorErased, in.ID, ""); err != nil {
				return nil, err
			}
			erased, err := s.o.Store.EraseActor(ctx, in.ID, s.o.Now().UnixMicro())
			if err != nil || !erased {
				return nil, cmpError(err, none(in.ID))
			}
			defer s.forget()
			return nil, s.o.Store.RevokeCredentialsOf(ctx, in.ID, s.o.Now().UnixMicro())
		})
}

// cmpError is the first error that is one.
func cmpError(err, or error) error {
	if err != nil {
		return err
	}
	return or
}
