package main

import (
	"context"
	"fmt"
	"strings"

	"verdict/identity"
	"verdict/report"
	"verdict/server/client"
	"verdict/server/wire"
)

const seeRoles = "verdict roles --help"

func rolesCommand() command {
	return command{
		use: "roles", short: "See, give and take the roles of a control plane",
		sub: []command{rolesListCommand(), rolesGrantCommand(), rolesRevokeCommand()},
	}
}

const rolesLong = "SUBJECT is person:ID of the map's people, key:ID of an enrolled key, or the id that verdict roles list --mine tells who signed in. ROLE is viewer, auditor, developer, approver, security or admin. " +
	"The change is evidence: the control plane signs it, with the one who asked as its actor. Nobody is given developer and security at once: who states evidence neither governs nor waives."

func rolesListCommand() command {
	return command{
		use: "list", short: "List who has which roles by the ledger",
		long:    "Roles that come with a sign-in, by the rules and groups of the server's sign-in file, are not in it; whoever has them sees them with --mine, under the id that roles are given to.",
		example: "verdict roles list --server https://verdict.acme.example\nverdict roles list --mine",
		args:    exactly(0), formats: textOrJSON,
		setup: func(f *flags) runner {
			var mine bool
			f.toggle(&mine, "mine", "the caller's own, wherever they come from")
			return func(ctx context.Context, a *app, _ []string) error { return a.rolesList(ctx, mine) }
		},
	}
}

func rolesGrantCommand() command {
	return command{
		use: "grant SUBJECT ROLE", short: "Give somebody a role within a scope", long: rolesLong,
		example: "verdict roles grant person:jane approver --service shop --environment prod --reason \"on call\"\nverdict roles grant key:rUEHWY110gKrqSThy8hxLkuj2OzktobuxnqxtX8QgHU= developer --service '*' --reason \"build machine\"",
		args:    exactly(2), formats: textOrJSON,
		setup: func(f *flags) runner {
			var in identity.Scope
			var reason string
			scopeFlags(f, &in)
			f.text(&reason, "reason", "TEXT", "why, for whoever reads the ledger")
			return func(ctx context.Context, a *app, args []string) error {
				if reason == "" {
					return usage(seeRoles, "nothing says why", "add --reason TEXT")
				}
				c, err := a.access(ctx, seeRoles)
				if err != nil {
					return err
				}
				r, err := c.GrantRole(ctx, wire.RoleAsked{Subject: args[0], Role: identity.Role(args[1]), Scope: filled(in), Reason: reason})
				return a.roleChanged(r, err)
			}
		},
	}
}

func rolesRevokeCommand() command {
	return command{
		use: "revoke SUBJECT ROLE", short: "Take a role from somebody, in every scope", long: rolesLong,
		example: "verdict roles revoke person:jane approver --reason \"left the team\"",
		args:    exactly(2), formats: textOrJSON,
		setup: func(f *flags) runner {
			var reason string
			f.text(&reason, "reason", "TEXT", "why, for whoever reads the ledger")
			return func(ctx context.Context, a *app, args []string) error {
				if reason == "" {
					return usage(seeRoles, "nothing says why", "add --reason TEXT")
				}
				c, err := a.access(ctx, seeRoles)
				if err != nil {
					return err
				}
				r, err := c.RevokeRole(ctx, args[0], identity.Role(args[1]), reason)
				return a.roleChanged(r, err)
			}
		},
	}
}

// scopeFlags are the flags of a scope; each is repeatable, and * stands for all.
func scopeFlags(f *flags, in *identity.Scope) {
	f.list(&in.Services, "service", "NAME", "service that it holds for; repeatable, * for all")
	f.list(&in.Teams, "team", "NAME", "team whose services it holds for; repeatable, * for all")
	f.list(&in.Environments, "environment", "NAME", "environment that it holds for; repeatable, * for all; none: what is of no environment")
}

// filled is a scope whose lists are there.
func filled(s identity.Scope) identity.Scope {
	for _, list := range []*[]string{&s.Services, &s.Teams, &s.Environments} {
		if *list == nil {
			*list = []string{}
		}
	}
	return s
}

// access is the control plane's client for commands about who may what there. A login comes
// before the key that evidence is signed with: who administers seldom states evidence.
func (a *app) access(ctx context.Context, see string) (*client.Client, error) {
	if err := a.needsServer(see); err != nil {
		return nil, err
	}
	s, err := a.signingIn(ctx)
	if err != nil {
		return nil, err
	}
	if beside := a.servedFolder(); beside != "" { // as every other command on the machine of the server
		if s.key, err = a.workspaceIn(beside).openSigner(ctx); err != nil {
			return nil, err
		}
	}
	s.server.Authorize(func(ctx context.Context, again bool) (string, error) {
		if a.config.Token == "" && !again {
			if kept, err := s.kept(); err != nil || kept != "" {
				return kept, err
			}
		}
		return s.token(ctx, again)
	})
	return s.server, nil
}

// roleList is the document verdict.roles/v1.
type roleList struct {
	Schema string `json:"schema"`
	// Person is who asks, as people: of the map names him; empty in a list of everybody.
	Person string `json:"person,omitempty"`
	wire.Roles
}

func (a *app) rolesList(ctx context.Context, mine bool) error {
	c, err := a.access(ctx, seeRoles)
	if err != nil {
		return err
	}
	who, doc := "", roleList{Schema: "verdict.roles/v1"}
	if mine {
		me, err := c.Me(ctx)
		if err != nil {
			return err
		}
		who, doc.Person = whoText(me), me.Person
		doc.Roles.Roles = []wire.RoleGrants{{Subject: me.Actor, Grants: me.Grants}}
	} else if doc.Roles, err = c.Roles(ctx); err != nil {
		return err
	}
	return a.emit(doc, func(report.Style) string { return who + rolesText(doc.Roles.Roles) })
}

// whoText is whom the server takes the caller for; what his steps are held to.
func whoText(me wire.Me) string {
	switch {
	case me.Person != "":
		return "You are " + report.Neutral(me.Person) + " under people: of the map.\n"
	case me.SignedIn:
		return "You are " + report.Neutral(me.Account) + ", an account that nobody under people: of the map has.\n"
	}
	return ""
}

func rolesText(all []wire.RoleGrants) string {
	rows := [][]string{{"who", "role", "where"}}
	for _, r := range all {
		if len(r.Grants) == 0 {
			rows = append(rows, []string{report.Neutral(r.Subject), "none", "an admin gives one: verdict roles grant " + report.Neutral(r.Subject) + " ROLE --service '*' --reason TEXT"})
		}
		for _, g := range r.Grants {
			rows = append(rows, []string{report.Neutral(r.Subject), string(g.Role), report.Neutral(scopeText(g.Scope))})
		}
	}
	if len(rows) == 1 {
		return "The ledger gives nobody a role.\n"
	}
	return report.Table(rows, 100, "")
}

func scopeText(s identity.Scope) string {
	words := []string{}
	for _, x := range []struct {
		what string
		list []string
	}{{"services ", s.Services}, {"teams ", s.Teams}, {"environments ", s.Environments}} {
		if len(x.list) > 0 {
			words = append(words, x.what+strings.Join(x.list, " "))
		}
	}
	return strings.Join(words, ", ")
}

func (a *app) roleChanged(r wire.RoleChanged, err error) error {
	if err != nil {
		return err
	}
	doc := struct {
		Schema string `json:"schema"`
		wire.RoleChanged
	}{"verdict.role/v1", r}
	return a.emit(doc, func(report.Style) string {
		return fmt.Sprintf("Recorded as entry %d. The ledger now gives:\n%s", r.Entry, rolesText([]wire.RoleGrants{r.Has}))
	})
}
